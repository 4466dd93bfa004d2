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
