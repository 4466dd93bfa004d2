"""Groups too small to be judged: refused, left open or judged within their parent; always listed with their rows."""

from __future__ import annotations

import html
import json
from pathlib import Path

import numpy as np
import pytest

from tests.recorded_projects import Tables, binary, write_gate, write_project

SPEC = {
    "task": {"labels": ["no", "yes"]},
    "subpopulations": {
        "by": [
            "channel",
            ["language", "channel"],
            {"columns": "age", "bins": [30, 60]},
            {"columns": "@text_length", "quantiles": 2, "required": False},
        ]
    },
}


def tables() -> Tables:
    """Three large channels; 9 rows of fax and 7 of which nobody knows the channel; nobody is 60 or older."""
    found = binary(2_400)
    channel = found.held_out["channel"].astype(object)
    channel.iloc[:9], channel.iloc[9:16] = "fax", None
    rng = np.random.default_rng(2)
    age = rng.integers(18, 60, len(channel)).astype(float)
    age[rng.random(len(age)) < 0.1] = np.nan
    return found.with_columns(channel=channel, language=np.where(np.arange(len(channel)) % 2, "de", "en"), age=age)


def sizes_of(tables: Tables) -> dict[str, int]:
    """Every group and its rows, counted by pandas alone."""
    rows = tables.held_out.assign(
        channel=tables.held_out["channel"].fillna("(missing)"),
        age=tables.held_out["age"].map(lambda age: "<30" if age < 30 else "[30, 60)", na_action="ignore"),
    )
    rows["age"] = rows["age"].fillna("(missing)")
    sizes = {f"channel={name}": n for name, n in rows["channel"].value_counts().items()}
    for (language, channel), n in rows[["language", "channel"]].value_counts().items():
        sizes[f"language={language}, channel={channel}"] = n
    return sizes | {f"age={name}": n for name, n in rows["age"].value_counts().items()} | {"age=≥60": 0}


def listed(run: Path) -> dict[str, dict]:
    return {each["name"]: each for each in json.loads((run / "record.json").read_text())["groups"]}


@pytest.fixture
def project(tmp_path):
    write_project(tmp_path, tables(), **SPEC)
    return tmp_path


def assert_the_reports_list_every_group(run: Path, groups: dict[str, dict]) -> None:
    markdown = (run / "report.md").read_text().replace("\\", "").replace("\u200b", "")
    cells = [[cell.strip() for cell in line.split("|")] for line in markdown.splitlines() if line.startswith("|")]
    listed = {(row[2], row[3]) for row in cells if len(row) > 4}
    page = (run / "report.html").read_text()
    for name, group in groups.items():
        assert (name, f"{group['n']:,}") in listed, f"{name} with n = {group['n']} is not in report.md"
        assert html.escape(name) in page, f"{name} is not in report.html"


def test_small_groups_leave_the_verdict_open_and_are_all_listed(evalkit, project):
    gate = write_gate(project, **SPEC)
    done = evalkit("check", gate, "--run", project / "runs" / "open", "--json", cwd=project)
    assert done.returncode == 3, done.stderr
    groups = listed(project / "runs" / "open")
    expected = sizes_of(tables())
    assert {name: group["n"] for name, group in groups.items() if "@text_length" not in name} == expected
    assert sum(group["n"] for name, group in groups.items() if "@text_length" in name) == 2_400
    record = json.loads((project / "runs" / "open" / "record.json").read_text())
    assert {each["name"] for each in record["too_small"]} == {name for name, n in expected.items() if n < 32}
    (empty,) = (
        each["value"]
        for each in record["measurements"]
        if (each["name"], each["subpopulation"]) == ("student_minus_teacher_accuracy", "age=≥60")
    )
    assert (empty["reason"], empty["n"]) == ("there are no rows", 0)
    assert json.loads(done.stdout)["recommendation"]["action"] == "COLLECT"
    assert_the_reports_list_every_group(project / "runs" / "open", groups)


def test_the_parents_of_merged_groups_must_pass_in_their_place_and_all_are_listed(evalkit, project):
    spec = {**SPEC, "subpopulations": SPEC["subpopulations"] | {"small": "merge"}}
    gate = write_gate(project, **spec)
    done = evalkit("check", gate, "--run", project / "runs" / "merged", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    groups = listed(project / "runs" / "merged")
    expected = sizes_of(tables())
    assert {name: groups[name]["n"] for name in expected} == expected, "a merged group keeps its rows"
    assert {name: group["merged_into"] for name, group in groups.items() if group["merged_into"]} == {
        "channel=fax": "all",
        "channel=(missing)": "all",
        "language=de, channel=fax": "language=de",
        "language=de, channel=(missing)": "language=de",
        "language=en, channel=fax": "language=en",
        "language=en, channel=(missing)": "language=en",
        "age=≥60": "all",
    }
    judged = {each["requirement"]["subpopulation"]: each["outcome"] for each in json.loads(done.stdout)["checks"]}
    assert judged["language=de"] == judged["language=en"] == "passed", "a parent that nobody declared carries the claim"
    assert groups["language=de"]["n"] == groups["language=en"]["n"] == 1_200
    merged = {name for name, group in groups.items() if group["merged_into"]}
    assert {name for name, outcome in judged.items() if outcome == "merged"} == merged
    assert_the_reports_list_every_group(project / "runs" / "merged", groups)


def test_a_merged_group_that_is_lost_is_no_go_and_the_terminal_says_of_whom(evalkit, tmp_path):
    channel = np.where(np.arange(2_400) < 30, "fax", tables().held_out["channel"])
    lost = tables().with_columns(channel=channel).losing(channel == "fax", 1.0)
    spec = {**SPEC, "subpopulations": SPEC["subpopulations"] | {"small": "merge"}}
    gate = write_project(tmp_path, lost, **spec)
    done = evalkit("check", gate, "--run", tmp_path / "runs" / "lost", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "[merged into language=de]" in done.stdout
    assert "1 more merged (all of them are in the report)" in done.stdout


def test_block_stops_before_anything_is_answered(evalkit, project):
    spec = {**SPEC, "subpopulations": SPEC["subpopulations"] | {"small": "block"}}
    gate = write_gate(project, **spec)
    done = evalkit("check", gate, "--run", project / "runs" / "blocked", cwd=project)
    assert done.returncode == 2
    (error,) = (line for line in done.stderr.splitlines() if line.startswith("error: "))
    assert "7 required subpopulations are too small ever to pass: channel=(missing) has 7 rows, needs 32" in error
    assert "and 2 more. Collect rows, widen the margin, set required: false" in error
    assert not list((project / "runs").glob("*/stages/predictions"))
    assert not (project / "runs" / "looks.jsonl").exists(), "nobody has looked"
