"""Rows that are checked before anything is evaluated on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from evalkit.data.dataset import NO_LABEL, Rows
from evalkit.errors import DataError
from evalkit.spec.gate import Columns

Read = Callable[..., Rows]

GOOD: dict[str, list[Any]] = {"id": ["x", "y"], "text": ["fine", "poor"], "label": ["good", "bad"]}


def test_held_out_rows_carry_ids_texts_label_numbers_and_every_column(suffix: str, held_out: Read) -> None:
    rows = held_out(suffix, **GOOD, language=["de", "fr"])
    assert (rows.ids, rows.texts, rows.labels.tolist()) == (("x", "y"), ("fine", "poor"), [1, 0])
    assert rows.table["language"].tolist() == ["de", "fr"]
    assert len(rows) == 2


def test_columns_may_have_other_names(suffix: str, held_out: Read) -> None:
    spec = Columns(id="key", text="body", label="answer")
    rows = held_out(suffix, spec=spec, key=["x"], body=["fine"], answer=["good"])
    assert (rows.ids, rows.texts, rows.labels.tolist()) == (("x",), ("fine",), [1])


@pytest.mark.parametrize(
    ("labels", "column"),
    [
        pytest.param(("0", "1"), [1, 0], id="numbers"),
        pytest.param(("0", "1"), ["1", "0"], id="numbers as text"),
        pytest.param(("False", "True"), [True, False], id="booleans"),
        pytest.param(("false", "true"), ["true", "false"], id="booleans in lower case"),
        pytest.param(("None", "NA"), ["NA", "None"], id="words that look like nothing"),
        pytest.param(("00", "01"), ["01", "00"], id="codes with leading zeros"),
    ],
)
def test_labels_that_look_like_something_else_are_labels(
    labels: tuple[str, str], column: list[object], suffix: str, held_out: Read
) -> None:
    assert held_out(suffix, labels=labels, **{**GOOD, "label": column}).labels.tolist() == [1, 0]


def test_ids_with_leading_zeros_keep_them(suffix: str, held_out: Read) -> None:
    assert held_out(suffix, **{**GOOD, "id": ["007", "010"]}).ids == ("007", "010")


def test_texts_that_are_numbers_keep_their_digits(suffix: str, held_out: Read) -> None:
    assert held_out(suffix, **{**GOOD, "text": ["1.50", "007"]}).texts == ("1.50", "007")


class TestHeldOutRowsAreRefused:
    @pytest.mark.parametrize("missing", ["id", "text", "label"])
    def test_without_a_column(self, missing: str, suffix: str, held_out: Read) -> None:
        columns = {name: values for name, values in GOOD.items() if name != missing}
        with pytest.raises(DataError, match=f"data.held_out has no column '{missing}'; it has {', '.join(columns)}"):
            held_out(suffix, **columns)

    def test_without_the_cluster_column_of_the_spec(self, held_out: Read) -> None:
        with pytest.raises(DataError, match="has no column 'user'"):
            held_out("csv", spec=Columns(cluster="user"), **GOOD)

    @pytest.mark.parametrize("suffix", ["csv", "parquet"])
    def test_when_there_are_none(self, suffix: str, held_out: Read) -> None:
        with pytest.raises(DataError, match=r"data.held_out has no rows; there is nothing to evaluate on"):
            held_out(suffix, **{name: [] for name in GOOD})

    def test_when_ids_repeat(self, suffix: str, held_out: Read) -> None:
        columns = {name: [*values, values[1]] for name, values in GOOD.items()}
        with pytest.raises(DataError, match=r"column 'id' has 1 duplicate ids \(first: y\); give each row its own"):
            held_out(suffix, **columns)

    def test_when_an_id_is_missing(self, suffix: str, held_out: Read) -> None:
        with pytest.raises(DataError, match="column 'id' is empty in 1 rows"):
            held_out(suffix, **{**GOOD, "id": ["x", None]})

    @pytest.mark.parametrize("empty", ["", "  ", "\t\n", None], ids=repr)
    def test_when_a_text_is_empty(self, empty: str | None, suffix: str, held_out: Read) -> None:
        with pytest.raises(DataError, match=r"column 'text' is empty in 1 rows \(first: row 1\); leave those rows out"):
            held_out(suffix, **{**GOOD, "text": ["fine", empty]})

    def test_when_a_label_is_unknown(self, suffix: str, held_out: Read) -> None:
        with pytest.raises(
            DataError, match=r"holds labels that task.labels does not name: soso; task.labels is bad, good"
        ):
            held_out(suffix, **{**GOOD, "label": ["good", "soso"]})

    def test_when_a_label_is_missing(self, suffix: str, held_out: Read) -> None:
        with pytest.raises(DataError, match="has 1 rows without a 'label'; label them or leave them out"):
            held_out(suffix, **{**GOOD, "label": ["good", None]})

    def test_with_at_most_five_unknown_labels_named(self, held_out: Read) -> None:
        columns = {"id": list("abcdefg"), "text": ["t"] * 7, "label": list("tuvwxyz")}
        with pytest.raises(DataError, match=r"does not name: t, u, v, w, x; task.labels"):
            held_out("csv", **columns)


class TestTrainingRows:
    def test_may_lack_labels_and_ids(self, suffix: str, training: Read) -> None:
        rows = training(suffix, text=["fine", "poor", "so so"], label=["good", "bad", None])
        assert rows.labels.tolist() == [1, 0, NO_LABEL]
        assert len(set(rows.ids)) == 3

    def test_with_number_labels_may_lack_some_too(self, suffix: str, training: Read) -> None:
        rows = training(
            suffix, labels=("0", "1"), text=["fine", "poor", "so so"], label=pd.array([1, 0, None], dtype="Int64")
        )
        assert rows.labels.tolist() == [1, 0, NO_LABEL]

    def test_whose_label_is_a_word_like_none_are_not_taken_for_unlabelled(self, suffix: str, training: Read) -> None:
        rows = training(suffix, labels=("None", "Some"), text=["fine", "poor"], label=["None", "Some"])
        assert rows.labels.tolist() == [0, 1]

    def test_with_an_unknown_label_are_refused(self, suffix: str, training: Read) -> None:
        with pytest.raises(DataError, match=r"data.train column 'label' holds labels .*: soso"):
            training(suffix, text=["fine"], label=["soso"])

    @pytest.mark.parametrize("suffix", ["csv", "parquet"])
    def test_that_are_not_there_are_refused(self, suffix: str, training: Read) -> None:
        with pytest.raises(DataError, match=r"data.train has no rows; there is nothing to learn from"):
            training(suffix, text=[], label=[])

    def test_need_no_cluster_column(self, training: Read) -> None:
        assert len(training("csv", spec=Columns(cluster="user"), text=["fine"], label=["good"])) == 1
