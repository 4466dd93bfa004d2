"""Reading a table of texts: CSV, Parquet or JSONL."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from evalkit.errors import DataError


def read_table(path: Path, name: str) -> pd.DataFrame:
    """All columns of a table. ``name`` is what errors call it. Raises DataError."""
    if not path.is_file():
        raise DataError(f"{name} {path} does not exist; give a {', '.join(READERS)} file")
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{name} {path} ends in '{path.suffix}'; give one of {', '.join(READERS)}")
    try:
        return reader(path)
    except (pa.ArrowInvalid, pd.errors.ParserError, pd.errors.ParserWarning, OSError, ValueError) as error:
        raise DataError(f"{name} {path} cannot be read ({_first_line(error)}); is it truncated?") from error


def require_columns(rows: pd.DataFrame, columns: Sequence[str], name: str) -> None:
    """Raises DataError for the first column that is not there."""
    for column in columns:
        if column not in rows.columns:
            there = ", ".join(map(str, rows.columns))
            raise DataError(f"{name} has no column '{column}'; it has {there}. Name the right one in the spec")


def _csv(path: Path) -> pd.DataFrame:
    """Every value as it is written: no word is taken for a missing value, no code loses its zeros."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # a row longer than the head
        return pd.read_csv(path, dtype="string", keep_default_na=False, na_values=[""], index_col=False)


def _parquet(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path, dtype_backend="numpy_nullable")


def _jsonl(path: Path) -> pd.DataFrame:
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines if line.strip()]
    for row in rows:
        if not isinstance(row, dict):
            raise ValueError(f"a line holds {json.dumps(row)[:40]}, and no object")
    return pd.DataFrame(rows, dtype=object).convert_dtypes()


READERS = {".csv": _csv, ".parquet": _parquet, ".jsonl": _jsonl}


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
