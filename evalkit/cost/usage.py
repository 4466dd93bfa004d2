"""The recorded token usage of an API, one row a call."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.data.numbers import numbers_of
from evalkit.data.reading import read_table, require_columns
from evalkit.errors import DataError
from evalkit.spec.cost import TokenColumns
from evalkit.stats.interval import NotEstimable

FloatArray = NDArray[np.float64]
ANSWERED = {"true": 1.0, "1": 1.0, "yes": 1.0, "false": 0.0, "0": 0.0, "no": 0.0}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Usage:
    """Tokens of each call [n], cached ones among the input tokens, whether it was answered (1 or 0) [n], and where
    calls belong together, which [n]."""

    input_tokens: FloatArray
    output_tokens: FloatArray
    cached_tokens: FloatArray
    answered: FloatArray
    clusters: NDArray[np.int64] | None = None


def usage_of_answers(answers: pd.DataFrame, clusters: NDArray[np.int64] | None) -> Usage | NotEstimable:
    """The usage of an API teacher's own answers to the held-out rows, one call a row: columns ``input_tokens`` and
    ``output_tokens`` as the API counted them. ``clusters`` [n] says which rows belong together."""
    counts = answers[["input_tokens", "output_tokens"]].to_numpy(dtype=np.float64, na_value=np.nan)
    lacking = int(np.isnan(counts).any(axis=1).sum())
    if lacking:
        return NotEstimable(
            reason=f"teacher.api counted no tokens in {lacking:,} of {len(answers):,} answers; give "
            "cost.teacher.tokens.usage",
            n=len(answers) - lacking,
        )
    nothing = np.zeros(len(answers))
    return Usage(
        input_tokens=counts[:, 0],
        output_tokens=counts[:, 1],
        cached_tokens=nothing,
        answered=nothing + 1.0,
        clusters=clusters,
    )


def read_usage(path: Path, columns: TokenColumns, name: str) -> Usage:
    """The usage in a table; ``name`` is how errors call it.

    Raises DataError for a table or column that is not there, a cell that is empty, no count, or negative, more cached
    than input tokens, and where no call was answered.
    """
    table = read_table(path, name)
    wanted = [columns.input_tokens, columns.output_tokens, columns.cached_tokens, columns.answered]
    require_columns(table, [column for column in wanted if column is not None], name)
    nothing = np.zeros(len(table))
    given, output = (_counts(table, column, name) for column in (columns.input_tokens, columns.output_tokens))
    cached = nothing if columns.cached_tokens is None else _counts(table, columns.cached_tokens, name)
    if (cached > given).any():
        row = int(np.argmax(cached > given))
        raise DataError(
            f"{name} has {cached[row]:g} cached of {given[row]:g} input tokens in row {row}; input tokens are all of "
            "them, the cached ones too: add them"
        )
    answered = nothing + 1.0 if columns.answered is None else _flags(table[columns.answered], columns.answered, name)
    if not answered.any():
        raise DataError(f"{name} holds no call that was answered; record the usage of some that were")
    return Usage(input_tokens=given, output_tokens=output, cached_tokens=cached, answered=answered)


def _counts(table: pd.DataFrame, column: str, name: str) -> FloatArray:
    values = numbers_of(table[column].reset_index(drop=True), f"{name} column '{column}'")
    wrong = ~(values >= 0)
    if wrong.any():
        row = int(np.argmax(wrong))
        what = "is empty" if np.isnan(values[row]) else f"is {values[row]:g}"
        raise DataError(f"{name} column '{column}' {what} in row {row}; give the tokens of every call, 0 or more")
    return values


def _flags(column: pd.Series, called: str, name: str) -> FloatArray:
    read = [ANSWERED.get(str(value).strip().lower().removesuffix(".0")) for value in column]
    for row, (value, flag) in enumerate(zip(column, read, strict=True)):
        if flag is None:
            raise DataError(f"{name} column '{called}' is {value!r} in row {row}; give true or false for every call")
    return np.asarray(read, dtype=np.float64)
