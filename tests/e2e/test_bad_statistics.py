"""What cannot be measured: its reason stands in the record, never a 0 or a NaN, and there is no verdict on it."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from tests.e2e.spoiled_projects import (
    CLASSES,
    GENERATION,
    MAKERS,
    MULTILABEL,
    RANKING,
    Spoil,
    as_they_are,
    grouped,
    held_out,
    kind_of,
    metric,
    strictly,
)
from tests.recorded_kinds import generation
from tests.recorded_projects import binary, over, with_probabilities, write_project

GAP = "student_minus_teacher_"
NO_SPREAD = "every resample gives the same value, so its spread is unknown"

UNMEASURED: dict[str, tuple[Spoil, dict[str, Any], tuple[str, str], str]] = {
    "AUC where all rows have one class": (
        held_out(label="no"),
        metric("auc:yes"),
        (f"{GAP}auc:yes", "all"),
        "AUC needs rows with the label yes and rows without",
    ),
    "AUC in a group of one class": (
        as_they_are,
        over(metric("auc:yes", 0.2, subpopulations=True), grouped("@label")),
        (f"{GAP}auc:yes", "@label=yes"),
        "AUC needs rows with the label yes and rows without",
    ),
    "AUC where all scores are tied": (
        lambda tables: replace(
            tables,
            teacher=tables.teacher.assign(probability_no=0.5, probability_yes=0.5),
            student=tables.student.assign(probability_no=0.5, probability_yes=0.5),
        ),
        metric("auc:yes"),
        (f"{GAP}auc:yes", "all"),
        "both models give the same on every unit, so the gap has no spread",
    ),
    "a metric of probabilities without any": (
        lambda tables: replace(tables, student=tables.student[["id", "prediction"]]),
        metric("log_loss"),
        (f"{GAP}log_loss", "all"),
        "no probabilities of the student are recorded",
    ),
    "F1 of a label that no row has": (
        held_out(label="no"),
        metric("f1:yes"),
        (f"{GAP}f1:yes", "all"),
        "no row truly has the label yes",
    ),
    "labels that nobody has": (
        held_out(label="", source=["agency", ""] * 300),
        over(MULTILABEL, {"requirements": {"quality": {"metrics": [{"metric": "macro_f1", "margin": 0.05}]}}}),
        (f"{GAP}macro_f1", "all"),
        "no row truly has any label",
    ),
    "scores that are all tied, in both models": (
        lambda tables: replace(
            tables, teacher=tables.teacher.assign(prediction=1.0), student=tables.student.assign(prediction=2.0)
        ),
        over(
            RANKING,
            {"requirements": {"quality": {"retention": None, "metrics": [{"metric": "ndcg@5", "margin": 0.05}]}}},
        ),
        (f"{GAP}ndcg@5", "all"),
        "both models give the same on every unit, so the gap has no spread",
    ),
    "a bin that no row falls in": (
        held_out(age=40),
        grouped({"columns": "age", "bins": [20, 90]}),
        (f"{GAP}accuracy", "age=≥90"),
        "there are no rows",
    ),
    "a weight on a bin that no row falls in": (
        held_out(age=40),
        grouped(
            {"columns": "age", "required": False, "bins": [50], "groups": {"<50": {"weight": 1}, "≥50": {"weight": 1}}}
        ),
        (f"{GAP}accuracy", "all, weighted by age"),
        "no row of age=≥50, which production has",
    ),
    "a teacher that is never right": (
        lambda tables: replace(
            tables,
            teacher=tables.teacher[["id"]].assign(prediction=tables.held_out["label"].map({"no": "yes", "yes": "no"})),
        ),
        CLASSES,
        ("student_over_teacher_accuracy", "all"),
        "the teacher is right on no row, so there is nothing to retain",
    ),
    "an own metric that is NaN": (
        as_they_are,
        metric("own_metrics:nothing"),
        (f"{GAP}own_metrics:nothing", "all"),
        "own_metrics:nothing gives no finite number here",
    ),
    "an own metric that is infinite": (
        as_they_are,
        metric("own_metrics:endless"),
        (f"{GAP}own_metrics:endless", "all"),
        "own_metrics:endless gives no finite number here",
    ),
    "an own metric that never differs": (
        as_they_are,
        metric("own_metrics:constant"),
        (f"{GAP}own_metrics:constant", "all"),
        NO_SPREAD,
    ),
    "an own metric that raises in one group": (
        held_out(channel=["fax"] * 50 + ["web"] * 550),
        over(metric("own_metrics:of_many", 0.2, subpopulations=True), grouped({"columns": "channel", "margin": 0.3})),
        (f"{GAP}own_metrics:of_many", "channel=fax"),
        "metric own_metrics:of_many raised ValueError on 50 rows: too few rows; mend the function",
    ),
    "rows that are one cluster": (
        held_out(user="one"),
        over(metric("macro_f1"), {"data": {"columns": {"cluster": "user"}}}),
        (f"{GAP}macro_f1", "all"),
        "a spread needs at least 2 units to resample",
    ),
    "queries of two clusters": (
        as_they_are,
        over(
            RANKING,
            {
                "data": {"columns": {"cluster": "language"}},
                "requirements": {"quality": {"metrics": [{"metric": "mrr", "margin": 0.05}]}},
            },
        ),
        (f"{GAP}mrr", "all"),
        "the models differ on only 2 of 2 units; it takes 5",
    ),
}


@pytest.mark.parametrize("case", UNMEASURED)
def test_what_cannot_be_measured_has_its_reason_in_the_record_and_no_verdict(case, in_process, own_metrics, tmp_path):
    spoil, spec, (name, where), reason = UNMEASURED[case]
    gate = write_project(tmp_path, spoil(MAKERS[kind_of(spec)]()), **spec)
    run = tmp_path / "runs" / "run"
    done = in_process("check", gate, "--run", run)
    assert done.exit_code == 3, done.output
    assert "INCONCLUSIVE: " in done.stdout
    record = strictly(run / "record.json")
    (value,) = (
        each["value"] for each in record["measurements"] if (each["name"], each["subpopulation"]) == (name, where)
    )
    assert value["reason"] == reason
    assert not {"point", "lower", "upper"} & set(value), "a reason stands alone, beside no number"
    (check,) = (
        each
        for each in strictly(run / "verdict.json")["checks"]
        if (each["requirement"]["measurement"], each["requirement"]["subpopulation"]) == (name, where)
    )
    assert (check["outcome"], check["use_of_margin"]) == ("open", None)
    assert "nan" not in (run / "report.md").read_text().lower().split()


def test_the_same_answers_in_two_different_files_are_never_go(in_process, tmp_path):
    for number, tables in enumerate(
        (binary(2_000, lost=0.0, gained=0.0), with_probabilities(binary(2_000, lost=0, gained=0)))
    ):
        copied = tables.teacher.iloc[::-1].assign(note="another file")
        folder = tmp_path / str(number)
        folder.mkdir()
        gate = write_project(folder, replace(tables, student=copied), **CLASSES)
        done = in_process("check", gate, "--json")
        assert done.exit_code == 3, done.output
        verdict = json.loads(done.stdout)
        assert verdict["outcome"] == "INCONCLUSIVE"
        assert (
            "the same answer on every row: nothing shows that two models were compared"
            in verdict["deciding"]["explanation"]
        )


def test_a_missing_optional_package_is_named_with_what_to_install(evalkit, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['sacrebleu'] = None\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    spec = over(GENERATION, {"requirements": {"quality": {"metrics": [{"metric": "chrf", "margin": 3}]}}})
    gate = write_project(tmp_path, generation(0.02, rows=200), **spec)
    done = evalkit("check", gate, cwd=tmp_path)
    (error,) = (line for line in done.stderr.splitlines() if line.startswith("error: "))
    assert "metric chrf needs the package sacrebleu, which is not installed" in error
    assert "pip install 'evalkit-gate[generation]'" in error
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("runs/*/verdict.json"))
    # What needs no such package is measured without it.
    spec["requirements"]["quality"]["metrics"][0] |= {"metric": "token_f1", "margin": 0.5}
    gate = write_project(tmp_path, generation(0.1, rows=400), **spec)
    assert evalkit("check", gate, "--run", "runs/without", cwd=tmp_path).returncode in (0, 1, 3)


def test_ten_thousand_subpopulations_are_judged_in_seconds_and_are_all_listed(evalkit, tmp_path):
    tables = binary(40_000)
    tables = tables.with_columns(shop=[f"s{number % 10_000}" for number in range(40_000)])
    gate = write_project(tmp_path, tables, **grouped("shop"))
    started = time.monotonic()
    done = evalkit("check", gate, "--run", "runs/run", cwd=tmp_path)
    seconds = time.monotonic() - started
    assert done.returncode == 3, done.stderr
    assert seconds < 60, f"{seconds:.0f} s"
    assert len(done.stdout.splitlines()) < 200, "a terminal is no place for ten thousand rows"
    assert "more open" in done.stdout
    record = strictly(tmp_path / "runs" / "run" / "record.json")
    assert {group["name"]: group["n"] for group in record["groups"]} == {f"shop=s{shop}": 4 for shop in range(10_000)}
    assert len(record["too_small"]) == 10_000
    page = (tmp_path / "runs" / "run" / "report.html").read_text()
    assert page.count("shop=s9999") >= 1

    tables = tables.with_columns(shop=[f"s{number}" for number in range(40_000)])
    gate = write_project(tmp_path, tables, **grouped("shop"))
    done = evalkit("check", gate, "--run", "runs/more", cwd=tmp_path)
    assert done.returncode == 2
    assert "shop splits 40,000 rows into 40,000 groups; at most 20,000 are allowed in all" in done.stderr
