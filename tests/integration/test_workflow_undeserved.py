"""Somebody wants a GO that the student has not earned. None of these ways leads there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evalkit.errors import DataError, SpecError
from tests.recorded_kinds import ranking
from tests.recorded_projects import COST, Tables, binary, over, record_of, with_probabilities, write_project

CLASSES: dict[str, Any] = {"task": {"labels": ["no", "yes"]}}
WATCHED = {name: {"required": False} for name in ("phone", "shop", "web")}
UNASKED: dict[str, Any] = {"requirements": {"quality": {"overall_margin": None, "retention": None}}}


def outcome(folder: Path, tables: Tables, **spec: Any) -> str:
    """GO, NO-GO, INCONCLUSIVE, or REFUSED where the gate does not judge at all."""
    gate = write_project(folder, tables, **spec)
    try:
        return str(record_of(gate, run=f"run-{len(list(folder.glob('runs/*')))}").verdict.outcome)
    except (DataError, SpecError):
        return "REFUSED"


def quality(**bar: Any) -> dict[str, Any]:
    return over(CLASSES, {"requirements": {"quality": bar}})


def a_few_differences(rows: int, gains: int) -> Tables:
    """Both models give the same answers, but for ``gains`` rows that only the student has right."""
    tables = with_probabilities(binary(rows, lost=0.0, gained=0.0))
    wrong = np.flatnonzero(tables.teacher["prediction"] != tables.held_out["label"])[:gains]
    student = tables.student.copy()
    student.loc[wrong, "prediction"] = tables.held_out.loc[wrong, "label"]
    yes = student["probability_yes"].to_numpy(copy=True)
    yes[wrong] = 1 - yes[wrong]
    return replace(tables, student=student.assign(probability_no=1 - yes, probability_yes=yes))


# The same model twice


def test_a_copy_of_the_teacher_with_columns_of_made_up_probabilities_beside_it(tmp_path):
    tables = binary(2_000, lost=0.0, gained=0.0)
    tables = replace(tables, student=tables.student.iloc[::-1])
    assert outcome(tmp_path, tables, **CLASSES) == "INCONCLUSIVE"
    made_up = {f"{model}_probability_{label}": 0.5 for model in ("teacher", "student") for label in ("no", "yes")}
    made_up |= {"teacher_probability_no": 0.4, "teacher_probability_yes": 0.6}
    assert outcome(tmp_path, tables.with_columns(**made_up), **CLASSES) != "GO"


def test_a_monotone_copy_of_the_teachers_scores(tmp_path):
    tables = ranking(0.1)
    copied = tables.teacher.assign(prediction=tables.teacher["prediction"] * 2 + 1)
    spec = {"task": {"kind": "ranking"}, "data": {"columns": {"query": "query"}}}
    assert outcome(tmp_path, replace(tables, student=copied), **spec) == "INCONCLUSIVE"


# Too little evidence that looks like enough


@pytest.mark.parametrize("metric", ["auc:yes", "own_hits:hits"])
def test_a_metric_of_whole_tables_on_a_handful_of_rows(tmp_path, monkeypatch, metric):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "own_hits.py").write_text(
        "def hits(truth, predicted, _):\n    return sum(map(str.__eq__, truth, predicted)) / len(truth)\n"
    )
    spec = over(quality(metrics=[{"metric": metric, "margin": 0.05}]), UNASKED)
    assert outcome(tmp_path, a_few_differences(30, gains=1), **spec) != "GO"


def test_one_user_with_nearly_all_rows(tmp_path):
    tables = binary(2_000, lost=0.0, gained=0.0)
    user = np.where(np.arange(2_000) < 1_900, 0, np.arange(2_000))
    lost = (user > 0) & (np.arange(2_000) % 5 == 0)
    tables = tables.with_columns(user=user).losing(lost, 1.0)
    by_user = (tables.student["prediction"] == tables.held_out["label"]).groupby(user).mean()
    teacher_by_user = (tables.teacher["prediction"] == tables.held_out["label"]).groupby(user).mean()
    assert (by_user - teacher_by_user).mean() < -0.15, "of 101 users, 1 in 6 is worse served"
    spec = over(quality(retention=None), {"data": {"columns": {"cluster": "user"}}})
    assert outcome(tmp_path, tables, **spec) != "GO"


def test_every_row_a_cluster_of_one_and_all_rows_one_cluster(tmp_path):
    tables = binary(2_000)
    spec = over(CLASSES, {"data": {"columns": {"cluster": "user"}}})
    assert outcome(tmp_path, tables.with_columns(user=tables.held_out["id"]), **spec) == "GO"
    assert outcome(tmp_path, tables.with_columns(user="one"), **spec) == "INCONCLUSIVE"
    assert outcome(tmp_path, tables.with_columns(user=None), **spec) == "INCONCLUSIVE"


def test_each_held_out_row_copied_under_new_ids(tmp_path):
    tables = binary(150, lost=0.03, gained=0.0)
    assert outcome(tmp_path, tables, **CLASSES) == "INCONCLUSIVE"

    def copied(table: pd.DataFrame) -> pd.DataFrame:
        copies = pd.concat([table] * 20, ignore_index=True)
        return copies.assign(id=[f"{name}-{number}" for number, name in enumerate(copies["id"])])

    many = Tables(**{name: copied(getattr(tables, name)) for name in ("held_out", "teacher", "student")})
    assert outcome(tmp_path, many, **CLASSES) != "GO"


def test_queries_that_no_model_can_rank_wrongly(tmp_path):
    tables = ranking(1.0, queries=60)
    spec = {
        "task": {"kind": "ranking"},
        "data": {"columns": {"query": "query"}},
        "requirements": {"quality": {"overall_margin": 0.1, "retention": None}},
    }
    assert outcome(tmp_path, tables, **spec) == "INCONCLUSIVE"
    ids = [f"pad-{number}" for number in range(4_000)]
    pad = pd.DataFrame({"id": ids, "text": ids, "label": 3, "query": [f"p{number // 2}" for number in range(4_000)]})
    padded = Tables(
        held_out=pd.concat([tables.held_out, pad], ignore_index=True),
        **{
            name: pd.concat([getattr(tables, name), pd.DataFrame({"id": ids, "prediction": 1.0})], ignore_index=True)
            for name in ("teacher", "student")
        },
    )
    assert outcome(tmp_path, padded, **spec) != "GO"


# Groups out of sight


def test_a_grouping_in_which_every_row_is_its_own_group(tmp_path):
    spec = over(CLASSES, {"subpopulations": {"by": ["id"]}})
    assert outcome(tmp_path, binary(1_000), **spec) == "INCONCLUSIVE"


def test_a_group_too_small_to_pass_that_plainly_fails_is_merged(tmp_path):
    channel = np.where(np.arange(1_500) < 31, "fax", "web")
    tables = binary(1_500).with_columns(channel=channel).losing(channel == "fax", 1.0)
    spec = over(quality(retention=None), {"subpopulations": {"by": ["channel"]}})
    assert outcome(tmp_path, tables, **spec) == "NO-GO"
    assert outcome(tmp_path, tables, **over(spec, {"subpopulations": {"small": "merge"}})) != "GO"


def test_a_minimum_that_no_group_reaches_merges_all_of_them(tmp_path):
    tables = binary(1_500)
    tables = tables.losing(tables.held_out["channel"] == "web", 0.3)
    spec = over(quality(overall_margin=0.2, retention=None), {"subpopulations": {"by": ["channel"]}})
    assert outcome(tmp_path, tables, **spec) == "NO-GO"
    assert (
        outcome(tmp_path, tables, **over(spec, {"subpopulations": {"small": "merge", "minimum_rows": 1_501}})) != "GO"
    )


# A bar that is none


def test_nothing_is_required(tmp_path):
    assert outcome(tmp_path, binary(1_000), **over(CLASSES, UNASKED)) == "INCONCLUSIVE"


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"requirements": {"quality": {"teacher_accuracy": 0.5}}},
        {"requirements": {"quality": {"metrics": [{"metric": "macro_f1", "margin": 0.01, "required": False}]}}},
        {"subpopulations": {"by": [{"columns": "channel", "required": False}]}},
        {"subpopulations": {"by": [{"columns": "channel", "groups": WATCHED}]}},
    ],
    ids=["cost alone", "the teacher's accuracy", "a watched metric", "watched groups", "each group watched by name"],
)
def test_only_the_price_is_asked_of_a_student_that_is_wrong_half_the_time(tmp_path, more):
    spec = over(over(over(CLASSES, UNASKED), {"cost": COST, "requirements": {"cost_reduction": 2.0}}), more)
    assert outcome(tmp_path, binary(1_000, lost=0.5), **spec) == "REFUSED"


@pytest.mark.parametrize(("metric", "margin"), [("accuracy", 1.0), ("macro_f1", 1.0), ("auc:yes", 2), ("ece", 1.5)])
def test_a_margin_as_wide_as_all_that_the_metric_can_be(tmp_path, metric, margin):
    tables = with_probabilities(binary(1_000, lost=0.9))
    spec = over(quality(metrics=[{"metric": metric, "margin": margin}]), UNASKED)
    assert outcome(tmp_path, tables, **spec) == "REFUSED"


# One look more


def test_the_plan_is_dropped_once_its_looks_are_used(tmp_path):
    tables = binary(4_000, lost=0.0, gained=0.02)
    planned = over(CLASSES, {"requirements": {"looks": {"planned": 1}}})
    assert outcome(tmp_path, tables, **planned) == "GO"
    another = tables.losing(np.arange(4_000) == 5, 1.0)
    assert outcome(tmp_path, another, **planned) == "INCONCLUSIVE"
    assert outcome(tmp_path, another, **CLASSES) != "GO"
