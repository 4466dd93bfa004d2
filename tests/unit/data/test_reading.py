"""Tables come back as they were written, or an error says which file is wrong and why."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalkit.data.reading import read_table, require_columns
from evalkit.errors import DataError

Written = Callable[..., Path]


def test_every_format_holds_the_same_table(suffix: str, written: Written) -> None:
    columns = {
        "id": ["a1", "a2", "a3"],
        "text": ["Grüße, “Welt”", "two\nlines", 'comma, quote " and tab\t'],
        "votes": [3, 1, 2],
        "share": [0.25, 0.5, 1.0],
        "seen": [True, False, True],
    }
    read = read_table(written(suffix, **columns), "data.held_out")
    assert list(read.columns) == list(columns)
    assert {name: read[name].astype(str).tolist() for name in columns} == {
        name: [str(value) for value in values] for name, values in columns.items()
    }


def test_a_missing_value_is_missing_in_every_format(suffix: str, written: Written) -> None:
    read = read_table(written(suffix, text=["a", None], votes=pd.array([1, None], dtype="Int64")), "data.held_out")
    assert read["text"].isna().tolist() == [False, True]
    assert read["votes"].isna().tolist() == [False, True]


@pytest.mark.parametrize("word", ["None", "NA", "null", "nan", "n/a", "NULL"])
def test_a_word_that_looks_like_nothing_is_a_word_in_every_format(word: str, suffix: str, written: Written) -> None:
    assert read_table(written(suffix, text=[word, "plain"]), "data.held_out")["text"].tolist() == [word, "plain"]


def test_text_that_looks_like_a_date_stays_text_in_every_format(suffix: str, written: Written) -> None:
    read = read_table(written(suffix, date=["2026-11-24", "2026-11-25"]), "data.held_out")
    assert read["date"].tolist() == ["2026-11-24", "2026-11-25"]


def test_an_upper_case_ending_is_the_same_format(tmp_path: Path) -> None:
    path = tmp_path / "TABLE.CSV"
    path.write_text("id\n7\n")
    assert read_table(path, "data.held_out")["id"].astype(str).tolist() == ["7"]


def test_a_parquet_file_with_dates_can_be_read(written: Written) -> None:
    read = read_table(written("parquet", day=[datetime.date(2026, 11, 24)]), "data.held_out")
    assert read["day"].tolist() == [datetime.date(2026, 11, 24)]


def test_whole_numbers_beside_missing_ones_stay_whole(tmp_path: Path) -> None:
    """Written by pyarrow alone, a Parquet file says nothing of the pandas type."""
    pq.write_table(pa.table({"votes": pa.array([7, None], pa.int64())}), tmp_path / "table.parquet")
    (tmp_path / "table.jsonl").write_text('{"votes": 7}\n{"votes": null}\n')
    (tmp_path / "table.csv").write_text("votes,other\n7,a\n,b\n")
    for suffix in ("parquet", "jsonl", "csv"):
        read = read_table(tmp_path / f"table.{suffix}", "data.held_out")
        assert read["votes"].astype(str).iloc[0] == "7", suffix


class TestRefused:
    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(
            DataError, match=r"^data\.train /.*/no\.csv does not exist; give a .csv, .parquet, .jsonl file"
        ):
            read_table(tmp_path / "no.csv", "data.train")

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="does not exist"):
            read_table(tmp_path, "data.train")

    def test_an_unknown_ending(self, tmp_path: Path) -> None:
        path = tmp_path / "table.xlsx"
        path.write_bytes(b"PK")
        with pytest.raises(DataError, match=r"table\.xlsx ends in '\.xlsx'; give one of .csv, .parquet, .jsonl"):
            read_table(path, "data.train")

    @pytest.mark.parametrize("kept", [0, 4, 100, -1])
    def test_a_truncated_parquet_file(self, kept: int, written: Written) -> None:
        path = written("parquet", id=list(range(100)), text=["t"] * 100)
        path.write_bytes(path.read_bytes()[:kept])
        with pytest.raises(DataError, match=r"data\.train .*table\.parquet cannot be read .*; is it truncated\?"):
            read_table(path, "data.train")

    def test_a_truncated_jsonl_file(self, written: Written) -> None:
        path = written("jsonl", id=[1, 2], text=["t", "u"])
        path.write_bytes(path.read_bytes()[:-5])
        with pytest.raises(DataError, match=r"table\.jsonl cannot be read .*; is it truncated\?"):
            read_table(path, "data.train")

    def test_a_csv_file_that_ends_inside_a_quote(self, tmp_path: Path) -> None:
        path = tmp_path / "table.csv"
        path.write_text('id,text\n1,"never close')
        with pytest.raises(DataError, match=r"table\.csv cannot be read .*EOF inside string.*; is it truncated\?"):
            read_table(path, "data.train")

    @pytest.mark.parametrize("row", ["1,hello, world,good", "1,hello,good,extra"])
    def test_a_csv_file_whose_rows_are_longer_than_its_head(self, row: str, tmp_path: Path) -> None:
        # pandas takes the first column for an index here, and every value slides into its neighbour's column.
        path = tmp_path / "table.csv"
        path.write_text(f"id,text,label\n{row}\n")
        with pytest.raises(DataError, match=r"table\.csv"):
            read_table(path, "data.train")

    def test_a_csv_file_in_another_encoding(self, tmp_path: Path) -> None:
        path = tmp_path / "table.csv"
        path.write_bytes("id,text\n1,Grüße\n".encode("latin-1"))
        with pytest.raises(DataError, match=r"table\.csv cannot be read .*utf-8"):
            read_table(path, "data.train")

    @pytest.mark.parametrize("suffix", ["csv", "parquet"])
    def test_an_empty_file(self, suffix: str, tmp_path: Path) -> None:
        path = tmp_path / f"table.{suffix}"
        path.write_bytes(b"")
        with pytest.raises(DataError, match="cannot be read"):
            read_table(path, "data.train")

    def test_every_message_is_one_line(self, written: Written) -> None:
        path = written("parquet", id=[1])
        path.write_bytes(b"PAR1 and then nothing")
        with pytest.raises(DataError) as raised:
            read_table(path, "data.train")
        assert "\n" not in str(raised.value)


def test_a_missing_column_is_named_with_those_that_are_there() -> None:
    table = pd.DataFrame({"id": [1], "body": ["t"]})
    with pytest.raises(
        DataError, match=r"data.train has no column 'text'; it has id, body. Name the right one in the spec"
    ):
        require_columns(table, ["id", "text"], "data.train")


@pytest.mark.parametrize("line", ["null", "7", '"words"', "[1, 2]"])
def test_a_jsonl_line_that_is_no_object_is_refused_by_name(line: str, tmp_path: Path) -> None:
    path = tmp_path / "table.jsonl"
    path.write_text(f'{{"id": 1, "text": "t"}}\n{line}\n')
    with pytest.raises(DataError, match=r"table\.jsonl"):
        read_table(path, "data.train")


def test_blank_lines_hold_no_rows(tmp_path: Path) -> None:
    for suffix, text in (("csv", "id,text\n1,a\n\n2,b\n"), ("jsonl", '{"id":1,"text":"a"}\n\n{"id":2,"text":"b"}\n')):
        path = tmp_path / f"table.{suffix}"
        path.write_text(text)
        assert len(read_table(path, "data.train")) == 2
