"""Which columns are searched, and which are not and why."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evalkit.errors import DataError
from evalkit.quality.discovery.features import Task, features_of
from evalkit.spec.gate import Columns
from evalkit.spec.subpopulations import Discovery
from tests.unit.quality.discovery.planted import LABELS, planted, task

TABLE = planted(0, 600)


def features(table=TABLE, of=None, training_texts=None, **spec):
    asked = Discovery.model_validate(spec)
    return features_of(table, asked, of or task(), training_texts, np.random.default_rng(0))


def reasons(found):
    return {each.column: each.reason for each in found.skipped}


def test_without_a_list_the_tables_own_columns_and_the_label_are_searched():
    found = features(text_features=False)
    assert found.columns == ("@label", "channel", "region", "device", "plan", "age")
    assert found.codes.shape == (600, 6)
    assert found.codes.dtype == np.int32


def test_the_teachers_answer_is_not_searched_unless_it_is_named():
    assert "an equally good student seems to lose" in reasons(features())["@teacher_answer"]
    assert "@teacher_answer" in features(columns=["@teacher_answer", "region"]).columns


def test_label_and_teachers_answer_are_never_crossed():
    found = features(columns=["region", "@teacher_answer", "@label"], text_features=False)
    assert found.apart == {frozenset([1, 2])}
    assert features(columns=["@teacher_answer", "region"]).apart == frozenset()


def test_text_features_come_along_when_they_are_asked_for():
    with_text = features(columns=["region"], training_texts=["one two"])
    assert with_text.columns == ("region", "@words", "@unseen_words")
    assert set(reasons(with_text)) == {"@script", "@topic"}
    assert features(columns=["region"], text_features=False).columns == ("region",)


def test_columns_that_split_the_rows_alike_are_searched_once():
    copied = TABLE.assign(label=TABLE["row_label"], zone=TABLE["region"].str.upper())
    assert reasons(features(copied))["label"] == "it splits the rows as @label does"
    assert reasons(features(copied))["zone"] == "it splits the rows as region does"


@pytest.mark.parametrize("role", ["id", "cluster", "query"])
def test_columns_that_name_rows_are_left_out(role):
    named = TABLE.assign(user=np.arange(600) % 25)
    of = Task(columns=Columns.model_validate({role: "user"}), kind="classification", labels=LABELS)
    found = features(named, of)
    assert "user" not in found.columns
    assert reasons(found)["user"] == "it says which row it is, not of what kind"


def test_probabilities_are_no_columns_of_the_table_but_make_confidence():
    chance = np.linspace(0.3, 0.9, 600)
    columns = {f"teacher_probability_{label}": chance if label == "0" else 0.1 for label in LABELS}
    with_chance = TABLE.assign(**columns)
    assert features(with_chance).columns == features().columns
    assert features(with_chance, columns=["@teacher_confidence"], text_features=False).values[0][0] == "<0.45"


def test_a_derived_column_that_cannot_be_computed_is_left_out_for_its_reason():
    assert "probabilities" in reasons(features(columns=["@student_confidence", "region"]))["@student_confidence"]
    generation = features(of=task(kind="generation"), columns=["@label", "region"])
    assert "needs labels" in reasons(generation)["@label"]


def test_without_a_text_column_the_reason_stands_in_its_place():
    assert "no such column" in reasons(features(TABLE.drop(columns="text")))["text"]


def test_a_missing_text_is_an_empty_one():
    table = TABLE.assign(text=pd.Series([None, *TABLE["text"][1:]], dtype="string"))
    assert "@words" in features(table).columns


def test_a_column_that_is_not_there_is_refused_by_name():
    with pytest.raises(DataError, match="no column 'chanel'"):
        features(columns=["chanel"])
    with pytest.raises(DataError, match="no column '@lenght'"):
        features(columns=["@lenght"])


def test_a_table_of_constant_columns_has_nothing_to_search():
    table = pd.DataFrame({"row_id": range(9), "row_label": "x", "teacher": "x", "student": "x", "channel": "web"})
    found = features(table)
    assert found.columns == ()
    assert found.codes.shape == (9, 0)
