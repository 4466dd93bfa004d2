"""What no statistics can be made of: one line and exit code 2, or a reason in the record and no verdict on it.

Never a traceback, never a 0 or a NaN in the place of what was not measured.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.recorded_kinds import TOPICS, generation, multilabel, ranking
from tests.recorded_projects import Tables, binary, over, with_probabilities, write_project

Spoil = Callable[[Tables], Tables]
CLASSES = {"task": {"labels": ["no", "yes"]}}


def as_they_are(tables: Tables) -> Tables:
    return tables


def student(**columns: Any) -> Spoil:
    """The student's table with other columns; a function makes one of the table."""
    return lambda tables: replace(tables, student=tables.student.assign(**columns))


def held_out(**columns: Any) -> Spoil:
    return lambda tables: tables.with_columns(**columns)


def first(column: str, value: Any) -> Callable[[pd.DataFrame], list[Any]]:
    """The column with another value in its first row."""
    return lambda table: [value, *table[column].tolist()[1:]]


def quality(**bar: Any) -> dict[str, Any]:
    return over(CLASSES, {"requirements": {"quality": bar}})


def metric(name: str, margin: float = 0.05, **more: Any) -> dict[str, Any]:
    return quality(metrics=[{"metric": name, "margin": margin, **more}])


def grouped(*by: Any, **policy: Any) -> dict[str, Any]:
    return over(CLASSES, {"subpopulations": {"by": list(by), **policy}})


def weights(**of: float | None) -> dict[str, Any]:
    policies = {name: {"margin": 0.2} if weight is None else {"weight": weight} for name, weight in of.items()}
    return grouped({"columns": "channel", "groups": policies})


MULTILABEL = {"task": {"kind": "multilabel", "labels": list(TOPICS)}}
RANKING = {"task": {"kind": "ranking"}, "data": {"columns": {"query": "query"}}}
GENERATION = {"task": {"kind": "generation"}}
MAKERS: dict[str, Callable[[], Tables]] = {
    "classification": lambda: with_probabilities(binary(600)),
    "multilabel": lambda: multilabel(0.004, rows=600),
    "ranking": lambda: ranking(0.1, queries=200),
    "generation": lambda: generation(0.02, rows=200),
}

NOT_A_PROBABILITY = "student.recorded: probabilities of {} rows are not finite, not ≥ 0 or do not sum to 1"

REFUSED: dict[str, tuple[Spoil, dict[str, Any], str]] = {
    # Scores and probabilities
    "a probability that is NaN": (
        student(probability_yes=first("probability_yes", np.nan)),
        CLASSES,
        NOT_A_PROBABILITY.format(1),
    ),
    "a probability that is infinite": (
        student(probability_yes=first("probability_yes", np.inf)),
        CLASSES,
        NOT_A_PROBABILITY.format(1),
    ),
    "a probability below 0": (
        student(probability_no=-0.2, probability_yes=1.2),
        CLASSES,
        NOT_A_PROBABILITY.format(600),
    ),
    "probabilities that do not sum to 1": (
        student(probability_yes=lambda table: table["probability_yes"] * 0.9),
        CLASSES,
        NOT_A_PROBABILITY.format(600),
    ),
    "probabilities in words": (student(probability_yes="likely"), CLASSES, "a probability is not a number"),
    "an answer that its own probabilities contradict": (
        lambda tables: replace(
            tables,
            student=tables.student.rename(
                columns={"probability_no": "probability_yes", "probability_yes": "probability_no"}
            ),
        ),
        CLASSES,
        "600 predictions contradict their own probabilities (first: id row-0 answers",
    ),
    "one label without its probability": (
        lambda tables: replace(tables, student=tables.student.drop(columns="probability_yes")),
        CLASSES,
        "student.recorded has no column 'probability_yes'",
    ),
    "a multilabel probability above 1": (
        student(probability_tech=1.2),
        MULTILABEL,
        "probabilities of 600 rows are not finite or not from 0 to 1 (first: id m0)",
    ),
    "a score that is NaN": (
        student(prediction=first("prediction", np.nan)),
        RANKING,
        "has an empty prediction in 1 of",
    ),
    "a score that is infinite": (
        student(prediction=first("prediction", -np.inf)),
        RANKING,
        "holds '-inf', which is not finite (id i0); correct it",
    ),
    "a relevance below 0": (held_out(label=first("label", -1)), RANKING, "holds -1 in row 0; the relevance of an item"),
    "a relevance that is NaN": (held_out(label=first("label", np.nan)), RANKING, "is missing in row 0"),
    # Too little to say anything
    "a held-out set of one row": (
        lambda tables: Tables(
            held_out=tables.held_out.head(1),
            teacher=tables.teacher,
            student=tables.student,
        ),
        CLASSES,
        "no student can be shown within requirements.quality.overall_margin 0.05 on fewer than 52",
    ),
    "an empty held-out set": (
        lambda tables: replace(tables, held_out=tables.held_out.head(0)),
        CLASSES,
        "data.held_out has no rows",
    ),
    "an empty table of predictions": (
        lambda tables: replace(tables, student=tables.student.head(0)),
        CLASSES,
        "student.recorded has no prediction for 600 of 600 held-out rows (first: row-0)",
    ),
    "predictions for other ids": (
        student(id=lambda table: "x" + table["id"]),
        CLASSES,
        "student.recorded has no prediction for 600 of 600 held-out rows (first: row-0)",
    ),
    "an id twice": (student(id=first("id", "row-1")), CLASSES, "student.recorded has duplicate ids (first: row-1)"),
    "an answer that is no label": (
        student(prediction=first("prediction", "maybe")),
        CLASSES,
        "student.recorded answers maybe, which task.labels does not name (no, yes)",
    ),
    "a label nobody named": (held_out(label=first("label", "maybe")), CLASSES, "task.labels does not name: maybe"),
    "one query": (held_out(query="q"), RANKING, "data.held_out has 1 queries; no student can be shown"),
    "queries of one item": (
        lambda tables: tables.with_columns(query=tables.held_out["id"]),
        RANKING,
        "queries have a single item (first: query i0)",
    ),
    "references that are empty": (held_out(label=" "), GENERATION, "has no reference text in 200 rows (first: row 0)"),
    # Margins
    "a margin of 0": (as_they_are, quality(overall_margin=0), "overall_margin is 0: Input should be greater than 0"),
    "a margin of 1": (
        as_they_are,
        quality(subpopulation_margin=1),
        "subpopulation_margin is 1: Input should be less than 1; give a fraction in (0, 1), e.g. 0.05",
    ),
    "a margin that is no number": (as_they_are, quality(overall_margin=float("nan")), "should be a finite number"),
    "a metric's margin of 0": (
        as_they_are,
        metric("macro_f1", 0),
        "metrics.0.margin is 0: Input should be greater than 0; give what may be lost of the metric, in its own unit",
    ),
    # Metrics
    "a metric nobody knows": (as_they_are, metric("acuracy"), "metric acuracy is not known; did you mean accuracy?"),
    "a metric of another kind of task": (
        as_they_are,
        metric("ndcg@10"),
        "metric ndcg@10 is for task.kind ranking, not for classification",
    ),
    "a metric of a label that is none": (
        as_they_are,
        metric("f1:maybe"),
        "metric f1:maybe: task.labels does not name 'maybe'; it names no, yes",
    ),
    "a metric that every model fulfils": (
        as_they_are,
        metric("top@2"),
        "metric top@2 is 1 for every model of 2 labels",
    ),
    "a threshold that is none": (as_they_are, metric("recall@1.5:yes"), "the threshold is 1.5; give a probability in"),
    "a module that is not there": (
        as_they_are,
        metric("nowhere_to_be_found:f"),
        "metric nowhere_to_be_found:f: module nowhere_to_be_found cannot be imported (ModuleNotFoundError",
    ),
    "an own metric that raises": (
        as_they_are,
        metric("own_metrics:raises"),
        "metric own_metrics:raises raised RuntimeError on 600 rows: first line second line; mend the function",
    ),
    "an own metric that leaves": (as_they_are, metric("own_metrics:leaves"), "raised SystemExit on 600 rows"),
    "an own metric that returns words": (
        as_they_are,
        metric("own_metrics:words"),
        "metric own_metrics:words returned '0.9' (str); return one number",
    ),
    "an own metric that takes one argument": (
        as_they_are,
        metric("own_metrics:narrow"),
        "raised TypeError on 600 rows",
    ),
    "an own metric that is no function": (as_they_are, metric("own_metrics:NUMBER"), "NUMBER is of type int in module"),
    # Groups
    "groupings of one name": (
        as_they_are,
        grouped("channel", {"columns": "channel", "margin": 0.1}),
        "subpopulations.by: channel stands there twice; name each grouping once",
    ),
    "groups of one name": (
        held_out(a=["1, b=2", "1"] * 300, b="2"),
        grouped("a", ["a", "b"]),
        "2 groups would be called 'a=1, b=2'; rename a column or value that holds a comma or =",
    ),
    "a weight below 0": (as_they_are, weights(web=-1, phone=1, shop=1), "groups.web.weight is -1"),
    "weights that are all 0": (as_they_are, weights(web=0, phone=0, shop=0), "all weights are 0; give at least one"),
    "a weight that is missing": (as_they_are, weights(web=1, phone=1, shop=None), "some groups have a weight and some"),
    "a value without a weight": (
        as_they_are,
        weights(web=1, phone=1),
        "subpopulations: channel has weights, but none for shop; give each value that occurs one",
    ),
    "edges that fall": (
        held_out(age=range(600)),
        grouped({"columns": "age", "bins": [65, 18]}),
        "the edges of age do not rise (65, 18); order them, each once",
    ),
    "bins that overlap": (
        held_out(age=range(600)),
        grouped({"columns": "age", "bins": [[0, 30], [20, 40]]}),
        "the bins of age are ranges, which can overlap; give rising edges, e.g. [18, 65]",
    ),
    "bins of words": (as_they_are, grouped({"columns": "channel", "bins": [1]}), "which is not a number (row 0)"),
    "a number that is infinite": (
        held_out(age=np.inf),
        grouped({"columns": "age", "quantiles": 3}),
        "age holds 'inf', which is not finite (row 0)",
    ),
    "a column of lists": (held_out(tags=[["a"]] * 600), grouped("tags"), "tags holds lists or objects"),
    "the models' own columns": (held_out(teacher="no"), grouped("teacher"), "'teacher' is a name that the predictions"),
    "the models' own probabilities": (
        held_out(student_probability_yes=0.5),
        grouped("student_probability_yes"),
        "'student_probability_yes' is a name that the predictions table uses itself",
    ),
    "a column that is not there": (as_they_are, grouped("chanel"), "data.held_out has no column 'chanel'"),
}

OWN_METRICS = """
NUMBER = 3
def raises(truth, predicted, probabilities):
    raise RuntimeError("first line\\nsecond line")
def leaves(truth, predicted, probabilities):
    raise SystemExit(0)
def words(truth, predicted, probabilities):
    return "0.9"
def narrow(truth):
    return 1.0
def nothing(truth, predicted, probabilities):
    return float("nan")
def endless(truth, predicted, probabilities):
    return float("inf")
def constant(truth, predicted, probabilities):
    return 0.5
def of_many(truth, predicted, probabilities):
    if len(truth) < 100:
        raise ValueError("too few rows")
    return sum(one == other for one, other in zip(truth, predicted)) / len(truth)
"""


@pytest.fixture
def own_metrics(tmp_path, monkeypatch):
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "own_metrics.py").write_text(OWN_METRICS)
    monkeypatch.syspath_prepend(str(folder))


def kind_of(spec: dict[str, Any]) -> str:
    return str(spec["task"].get("kind", "classification"))


def strictly(path: Path) -> Any:
    """A JSON file in which NaN and Infinity are errors."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{path.name} holds {constant}")

    return json.loads(path.read_text(), parse_constant=refuse)


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_asked_is_one_line_and_exit_code_2(case, in_process, own_metrics, tmp_path):
    spoil, spec, message = REFUSED[case]
    gate = write_project(tmp_path, spoil(MAKERS[kind_of(spec)]()), **spec)
    done = in_process("check", gate)
    assert done.exit_code == 2, done.output
    (error,) = (line for line in done.stderr.splitlines() if line.startswith("error: "))
    assert message in error
    assert "Traceback" not in done.output
    assert not list(tmp_path.glob("runs/*/verdict.json"))


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
        NO_SPREAD,
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
