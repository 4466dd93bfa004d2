"""Reading a table of texts: CSV, Parquet or JSONL."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from evalkit.errors import DataError

READERS = (".csv", ".parquet", ".jsonl")


def read_table(path: Path, name: str) -> pd.DataFrame:
    """All columns of a table. ``name`` is what errors call it. Raises DataError."""
    if not path.is_file():
        raise DataError(f"{name} {path} does not exist; give a {', '.join(READERS)} file")
    try:
        match path.suffix.lower():
            case ".parquet":
                return pd.read_parquet(path)
            case ".csv":
                return pd.read_csv(path, dtype_backend="numpy_nullable", keep_default_na=True, na_values=[""])
            case ".jsonl":
                return pd.read_json(path, lines=True, dtype=False, convert_dates=False)
            case suffix:
                raise DataError(f"{name} {path} ends in '{suffix}'; give one of {', '.join(READERS)}")
    except (
        pa.ArrowInvalid,
        pd.errors.ParserError,
        pd.errors.EmptyDataError,
        UnicodeDecodeError,
        ValueError,
    ) as error:
        raise DataError(f"{name} {path} cannot be read ({_first_line(error)}); is it truncated?") from error


def require_columns(rows: pd.DataFrame, columns: Sequence[str], name: str) -> None:
    """Raises DataError for the first column that is not there."""
    for column in columns:
        if column not in rows.columns:
            there = ", ".join(map(str, rows.columns))
            raise DataError(f"{name} has no column '{column}'; it has {there}. Name the right one in the spec")


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
