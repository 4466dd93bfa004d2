"""Tables written to real files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from evalkit.data.dataset import Rows, held_out_rows, training_rows
from evalkit.data.reading import read_table
from evalkit.spec.gate import Columns

FORMATS = ("csv", "parquet", "jsonl")


@pytest.fixture(params=FORMATS)
def suffix(request: pytest.FixtureRequest) -> str:
    """Each of the file formats in turn."""
    return str(request.param)


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """``written("csv", id=[1, 2], text=["a", "b"])``: the path of a file with these columns."""

    def write(suffix: str, **columns: Any) -> Path:
        table, path = pd.DataFrame(columns), tmp_path / f"table.{suffix}"
        match suffix:
            case "csv":
                table.to_csv(path, index=False)
            case "parquet":
                table.to_parquet(path, index=False)
            case "jsonl":
                table.to_json(path, orient="records", lines=True)
        return path

    return write


@pytest.fixture
def held_out(written: Callable[..., Path]) -> Callable[..., Rows]:
    """Columns written to a file, read back and checked as held-out rows."""

    def read(
        suffix: str, labels: tuple[str, ...] = ("bad", "good"), spec: Columns | None = None, **columns: Any
    ) -> Rows:
        return held_out_rows(read_table(written(suffix, **columns), "data.held_out"), spec or Columns(), labels)

    return read


@pytest.fixture
def training(written: Callable[..., Path]) -> Callable[..., Rows]:
    """The same as training rows."""

    def read(
        suffix: str, labels: tuple[str, ...] = ("bad", "good"), spec: Columns | None = None, **columns: Any
    ) -> Rows:
        return training_rows(read_table(written(suffix, **columns), "data.train"), spec or Columns(), labels)

    return read
