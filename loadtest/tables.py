"""Reading a table that only the generator needs: CSV, Parquet or JSONL."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa

from loadtest.errors import InputError


def _jsonl(path: Path) -> pd.DataFrame:
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines if line.strip()]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("a line holds no object")
    return pd.DataFrame(rows)


READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": lambda path: pd.read_csv(path, dtype="string", keep_default_na=False, na_values=[""], index_col=False),
    ".parquet": pd.read_parquet,
    ".jsonl": _jsonl,
}


def read_columns(path: Path, name: str) -> pd.DataFrame:
    """All columns of the table. ``name`` is what errors call it. Raises InputError where it cannot be read."""
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{name} {path} ends in '{path.suffix}'; give one of {', '.join(READERS)}")
    try:
        return reader(path)
    except pd.errors.EmptyDataError:
        raise InputError(f"{name} {path} is empty; give a file with rows") from None
    except (pa.ArrowInvalid, pd.errors.ParserError, OSError, ValueError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{name} {path} cannot be read ({said}); is it truncated?") from error
