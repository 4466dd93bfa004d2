from pathlib import Path

import pytest

from evalkit.errors import DataError
from evalkit.predictions.recorded_latencies import recorded_latencies


def written(folder: Path, text: str) -> Path:
    path = folder / "teacher.csv"
    path.write_text(text)
    return path


def test_latencies_are_read_in_order(tmp_path: Path) -> None:
    found = recorded_latencies(written(tmp_path, "id,prediction,latency_ms\n1,a,120.5\n2,b,90\n"), "teacher")
    assert found is not None
    assert found.tolist() == [120.5, 90.0]


def test_a_table_without_the_column_has_none(tmp_path: Path) -> None:
    assert recorded_latencies(written(tmp_path, "id,prediction\n1,a\n"), "teacher") is None


@pytest.mark.parametrize("value", ["", "0", "-3", "inf", "fast"])
def test_an_answer_without_a_latency_is_refused_rather_than_left_out(value: str, tmp_path: Path) -> None:
    path = written(tmp_path, f"id,prediction,latency_ms\n1,a,120\n2,b,{value}\n")
    with pytest.raises(DataError, match=r"teacher\.recorded.*latency_ms"):
        recorded_latencies(path, "teacher")
