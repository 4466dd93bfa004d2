"""A cross that nobody declared and that the student is bad in: found, confirmed, and judged where the spec says so."""

from __future__ import annotations

import html
import json

import numpy as np
import pandas as pd
import pytest

from tests.recorded_projects import Tables, binary, record_of, write_gate, write_project

BARE = {
    "task": {"labels": ["no", "yes"]},
    "subpopulations": {"by": ["channel"]},
    "requirements": {"quality": {"subpopulation_margin": 0.12, "retention": 0.94}},
}
PLANTED = "device=tablet, channel=web"


def tables(planted: float) -> Tables:
    """8,000 rows; the student loses a share ``planted`` of those from tablets on the web, which are 1 in 12."""
    rng = np.random.default_rng(31)
    found = binary(8_000, lost=0.01, gained=0.1)
    found = found.with_columns(
        device=rng.choice(["desk", "phone", "tablet", "watch"], 8_000),
        age=rng.integers(18, 90, 8_000),
        region=rng.choice(list("abcdef"), 8_000),
    )
    rows = found.held_out
    return found.losing((rows["device"] == "tablet") & (rows["channel"] == "web"), planted)


def conditions(name: str) -> set[str]:
    return set(name.split(", "))


def test_a_planted_cross_turns_a_go_into_a_no_go_and_is_shown_with_its_rows(evalkit, tmp_path):
    spec = {**BARE, "discovery": {"columns": ["device", "channel", "age", "region"]}}
    gate = write_project(tmp_path, tables(0.3), **{**BARE, "discovery": None})
    assert record_of(gate, "unsearched").verdict.outcome == "GO", "every declared group passes"
    assert record_of(gate, "unsearched").discovery is None

    write_gate(tmp_path, **spec)
    run = tmp_path / "runs" / "searched"
    done = evalkit("check", gate, "--run", run, "--json", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    verdict, record = json.loads(done.stdout), json.loads((run / "record.json").read_text())
    confirmed = [each for each in record["discovery"]["candidates"] if each["confirmed"]]
    assert any(conditions(each["name"]) == conditions(PLANTED) for each in confirmed)
    deciding = verdict["deciding"]["requirement"]
    assert deciding["subpopulation"].removeprefix("found: ") in [each["name"] for each in confirmed]
    assert (deciding["measurement"], deciding["bound"]) == ("student_minus_teacher_accuracy", -0.12)
    (found,) = (each for each in confirmed if conditions(each["name"]) == conditions(PLANTED))
    table = pd.read_parquet(run / "predictions.parquet").set_index("row_id")
    examples = table.loc[found["examples"]]
    assert len(examples) > 0
    assert (examples["teacher"] == examples["row_label"]).all()
    assert (examples["student"] != examples["row_label"]).all()
    assert set(zip(examples["device"], examples["channel"], strict=True)) == {("tablet", "web")}
    page = (run / "report.html").read_text()
    for text in (found["name"], *found["examples"][:1]):
        assert html.escape(text) in page
    assert found["gap"]["value"]["n"] == found["n_confirming"] <= 0.6 * (table["device"] == "tablet").sum()

    write_gate(tmp_path, **{**spec, "discovery": {**spec["discovery"], "required": False}})
    run = tmp_path / "runs" / "watched"
    done = evalkit("check", gate, "--run", run, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    watched = [each for each in json.loads(done.stdout)["checks"] if not each["requirement"]["required"]]
    assert [each["outcome"] for each in watched if "tablet" in each["requirement"]["subpopulation"]] == ["failed"]
    shown = (run / "report.md").read_text().replace("\\", "")
    assert found["name"] in shown


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_where_nothing_is_planted_nothing_is_confirmed(tmp_path, seed):
    gate = write_project(tmp_path, tables(0.0), **BARE, discovery={}, seed=seed)
    record = record_of(gate)
    assert record.discovery is not None
    assert record.discovery.not_searched is None
    assert {"device", "channel", "age", "region"} <= set(record.discovery.columns)
    assert record.discovery.confirmed == ()
    assert record.verdict.outcome == "GO"


def test_a_group_that_is_declared_is_judged_there_and_not_found_again(tmp_path):
    spec = {**BARE, "subpopulations": {"by": [["device", "channel"]]}, "discovery": {"columns": ["device", "channel"]}}
    record = record_of(write_project(tmp_path, tables(0.3), **spec))
    assert [conditions(name) for name in record.discovery.declared] == [conditions(PLANTED)]
    assert record.verdict.deciding.requirement.subpopulation == PLANTED
    assert record.discovery.confirmed == ()
