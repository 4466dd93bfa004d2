"""What the report says of a model in less than single precision."""

from __future__ import annotations

import dataclasses

import pytest

from reports.validity import validity
from tests.unit.reports import records

INT8 = {
    "texts": 2000, "largest_logit_difference": 0.21, "label_flips": 12, "flips_lower": 0.0031, "flips_upper": 0.0105,
    "precision": "int8_static", "tolerance": None, "most_label_flips": 0.01, "compared_with": "torch",
}  # fmt: skip


@pytest.mark.parametrize(("most", "state"), [(0.02, "holds"), (0.01, "look"), (0.003, "broken")])
def test_a_precision_is_shown_with_its_size_its_flips_and_their_interval(most, state):
    record = records.go()
    teacher, student = record.models
    smaller = dataclasses.replace(student, megabytes=1.4, parity=INT8 | {"most_label_flips": most})
    (said,) = (
        each
        for each in validity(dataclasses.replace(record, models=(teacher, smaller)))
        if each.name == "int8_static equals torch, student"
    )
    assert said.state.word == state
    assert said.text == (
        f"1.4 MB; 12 of 2,000 labels flip (0.3% to 1.1%, allowed {most:.1%}); logits differ by at most 2.1e-01"
    )


@pytest.mark.parametrize(("changed", "state"), [(0, "holds"), (17, "look")])
def test_a_model_whose_labels_depend_on_the_batch_is_told_to_its_users(changed, state):
    record = records.go()
    teacher, student = record.models
    batches = {
        "texts": 2000, "batch_rows": 16, "changed": changed, "lower": 0.0052, "upper": 0.0134, "most_label_flips": 0.01,
    }  # fmt: skip
    dynamic = dataclasses.replace(student, batches=batches)
    load = dataclasses.replace(record.loads[1], limits={"max_batch_dependent_share": 0.0134})
    said = {
        each.name: each
        for each in validity(dataclasses.replace(record, models=(teacher, dynamic), loads=(record.loads[0], load)))
    }
    own = said["Own answers, student"]
    assert own.state.word == state
    assert own.text == (
        f"{changed} of 2,000 labels change with the texts in the same batch (0.5% to 1.3% in random batches of 16, "
        "allowed 1.0%); judged on each text alone. With int8_static, or serve.max_batch_rows: 1, none does"
    )
    assert "Own answers, teacher" not in said
    assert said[f"Served = offline, {load.role}"].text.endswith("; up to 1.3% may, by the other texts in the batch")
    assert "may, by" not in said[f"Served = offline, {record.loads[0].role}"].text
