"""The whole gate on held-out rows of which some have one text: they are one question, asked more than once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from evalkit.planning.assumptions import Assumptions
from evalkit.record.run_record import RunRecord
from evalkit.spec.loading import load_spec
from evalkit.workflow.planning import make_plan
from reports.markdown import render_markdown
from reports.validity import validity
from tests.recorded_kinds import generation
from tests.recorded_projects import Tables, binary, over, record_of, with_probabilities, write_gate, write_project

CLASSES: dict[str, Any] = {"task": {"labels": ["no", "yes"]}}
NAME = "Texts differ"


def stating(cluster: str) -> dict[str, Any]:
    return over(CLASSES, {"data": {"columns": {"cluster": cluster}}})


def copied(tables: Tables, times: int) -> Tables:
    """Each row so many times under ids of its own; the copies of a row are not beside each other."""

    def of(table: pd.DataFrame) -> pd.DataFrame:
        copies = pd.concat([table] * times, ignore_index=True)
        return copies.assign(id=[f"{name}-{number}" for number, name in enumerate(copies["id"])])

    return Tables(held_out=of(tables.held_out), teacher=of(tables.teacher), student=of(tables.student))


def overall(record: RunRecord) -> dict[str, Any]:
    return {each.name: each.value for each in record.measurements if each.subpopulation == "all"}


def said(record: RunRecord) -> tuple[str, str]:
    (found,) = [each for each in validity(record) if each.name == NAME]
    return found.state.word, found.text


def test_copies_of_rows_show_what_the_same_rows_in_one_cluster_each_would(tmp_path):
    """The cluster that is found is the one that a careful user would have stated."""
    tables = copied(with_probabilities(binary(300, lost=0.05)), 5)
    tables = tables.with_columns(original=np.tile(np.arange(300), 5))
    bare = record_of(write_project(tmp_path, tables, **CLASSES), "bare")
    stated = record_of(write_gate(tmp_path, **stating("original")), "stated")
    assert overall(bare) == overall(stated)
    assert bare.verdict.outcome == stated.verdict.outcome
    gap = overall(bare)["student_minus_teacher_accuracy"]
    assert gap.n <= 300
    assert "effective rows" in gap.method
    assert "cluster" in overall(bare)["student_minus_teacher_macro_f1"].method
    assert said(bare) == ("look", "1,200 of 1,500 rows repeat another's text; equal texts count as one cluster")
    assert said(stated) == ("holds", "1,200 of 1,500 rows repeat another's text")
    assert "equal texts count as one cluster" in render_markdown(bare)


def test_a_spec_that_says_that_every_row_is_its_own_is_believed_and_the_report_tells(tmp_path):
    tables = copied(binary(150, lost=0.03, gained=0.0), 20)
    record = record_of(write_project(tmp_path, tables, **stating("id")))
    assert overall(record)["student_minus_teacher_accuracy"].n > 2_900
    assert said(record) == (
        "look",
        (
            "2,850 of 3,000 rows repeat another's text; 2,850 of them lie in another cluster of id and count as "
            "further evidence"
        ),
    )


def test_rows_of_different_texts_are_counted_as_they_are(tmp_path):
    record = record_of(write_project(tmp_path, binary(400), **CLASSES))
    assert overall(record)["student_minus_teacher_accuracy"].n == 400
    assert overall(record)["student_minus_teacher_accuracy"].method == "Tango 1998 score interval"
    assert said(record) == ("holds", "0 of 400 rows repeat another's text")


def test_case_and_spaces_do_not_make_another_text_and_another_answer_is_told(tmp_path):
    tables = binary(400)
    texts = tables.held_out["text"].tolist()
    label = tables.held_out["label"].to_numpy(copy=True)
    texts[1], texts[2] = texts[0].upper(), f"  {texts[0]} "
    label[:3] = ["no", "no", "yes"]
    record = record_of(write_project(tmp_path, tables.with_columns(text=texts, label=label), **CLASSES))
    assert said(record) == (
        "look",
        "2 of 400 rows repeat another's text, 1 of them with another answer; equal texts count as one cluster",
    )


def test_copies_of_a_generation_task_count_once_too(tmp_path):
    tables, spec = generation(0.3, rows=200), {"task": {"kind": "generation"}}
    alone = overall(record_of(write_project(tmp_path, tables, **spec), "alone"))
    many = overall(record_of(write_project(tmp_path, copied(tables, 10), **spec), "many"))
    for name in ("student_minus_teacher_accuracy", "student_minus_teacher_token_f1"):
        one, ten = (each[name] for each in (alone, many))
        assert ten.upper - ten.lower > 0.9 * (one.upper - one.lower), name


def test_a_search_for_subpopulations_does_not_tear_equal_texts_apart(tmp_path):
    tables = copied(binary(600), 3).with_columns(size=np.tile(np.arange(600) % 4, 3))
    spec = over(CLASSES, {"discovery": {"min_rows": 50, "columns": ["size"]}})
    record = record_of(write_project(tmp_path, tables, **spec))
    assert record.discovery is not None
    assert record.discovery.rows_searched % 3 == record.discovery.rows_confirming % 3 == 0
    assert record.discovery.rows_searched + record.discovery.rows_confirming == 1_800


@pytest.mark.parametrize("made_up", ["@equal_texts", "teacher", "@text_length"])
def test_a_column_of_a_name_that_the_gate_uses_itself_changes_nothing(tmp_path, made_up):
    tables = copied(binary(150, lost=0.03, gained=0.0), 20)
    plain = record_of(write_project(tmp_path, tables, **CLASSES), "plain")
    spoofed = tables.with_columns(**{made_up: np.arange(3_000)})
    record = record_of(write_project(tmp_path, spoofed, **CLASSES), "spoofed")
    assert overall(record) == overall(plain)


def test_the_plan_counts_equal_texts_as_the_gate_will(tmp_path):
    tables = copied(binary(150, lost=0.03, gained=0.0), 20)
    plan = make_plan(load_spec(write_project(tmp_path, tables, **CLASSES)), Assumptions())
    stated = make_plan(
        load_spec(
            write_project(tmp_path, tables.with_columns(original=np.tile(np.arange(150), 20)), **stating("original"))
        ),
        Assumptions(),
    )
    assert plan.claims == stated.claims
    assert any("rows of equal text count as one cluster" in note for note in plan.notes)
    assert not any("equal text" in note for note in stated.notes)
