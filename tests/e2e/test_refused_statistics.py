"""What no statistics can be made of: one line and exit code 2, and never a traceback."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.e2e.spoiled_projects import (
    CLASSES,
    GENERATION,
    MAKERS,
    MULTILABEL,
    RANKING,
    Spoil,
    as_they_are,
    first,
    grouped,
    held_out,
    kind_of,
    metric,
    quality,
    student,
    weights,
)
from tests.recorded_projects import Tables, write_project

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
        "data.held_out has a column 'student_probability_yes', the name under which the predictions table",
    ),
    "a column that is not there": (as_they_are, grouped("chanel"), "data.held_out has no column 'chanel'"),
}


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
