"""Recorded projects of every kind, and ways to spoil their tables or their spec."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from tests.recorded_kinds import TOPICS, generation, multilabel, ranking
from tests.recorded_projects import Tables, binary, over, with_probabilities

Spoil = Callable[[Tables], Tables]
CLASSES = {"task": {"labels": ["no", "yes"]}}


def as_they_are(tables: Tables) -> Tables:
    return tables


def student(**columns: Any) -> Spoil:
    """The student's table with other columns; a function makes one of the table."""
    return lambda tables: replace(tables, student=tables.student.assign(**columns))


def held_out(**columns: Any) -> Spoil:
    return lambda tables: tables.with_columns(**columns)


def first(column: str, value: Any) -> Callable[[pd.DataFrame], list[Any]]:
    """The column with another value in its first row."""
    return lambda table: [value, *table[column].tolist()[1:]]


def quality(**bar: Any) -> dict[str, Any]:
    return over(CLASSES, {"requirements": {"quality": bar}})


def metric(name: str, margin: float = 0.05, **more: Any) -> dict[str, Any]:
    return quality(metrics=[{"metric": name, "margin": margin, **more}])


def grouped(*by: Any, **policy: Any) -> dict[str, Any]:
    return over(CLASSES, {"subpopulations": {"by": list(by), **policy}})


def weights(**of: float | None) -> dict[str, Any]:
    policies = {name: {"margin": 0.2} if weight is None else {"weight": weight} for name, weight in of.items()}
    return grouped({"columns": "channel", "groups": policies})


MULTILABEL = {"task": {"kind": "multilabel", "labels": list(TOPICS)}}
RANKING = {"task": {"kind": "ranking"}, "data": {"columns": {"query": "query"}}}
GENERATION = {"task": {"kind": "generation"}}
MAKERS: dict[str, Callable[[], Tables]] = {
    "classification": lambda: with_probabilities(binary(600)),
    "multilabel": lambda: multilabel(0.004, rows=600),
    "ranking": lambda: ranking(0.1, queries=200),
    "generation": lambda: generation(0.02, rows=200),
}

OWN_METRICS = """
NUMBER = 3
def raises(truth, predicted, probabilities):
    raise RuntimeError("first line\\nsecond line")
def leaves(truth, predicted, probabilities):
    raise SystemExit(0)
def words(truth, predicted, probabilities):
    return "0.9"
def narrow(truth):
    return 1.0
def nothing(truth, predicted, probabilities):
    return float("nan")
def endless(truth, predicted, probabilities):
    return float("inf")
def constant(truth, predicted, probabilities):
    return 0.5
def of_many(truth, predicted, probabilities):
    if len(truth) < 100:
        raise ValueError("too few rows")
    return sum(one == other for one, other in zip(truth, predicted)) / len(truth)
"""


def kind_of(spec: dict[str, Any]) -> str:
    return str(spec["task"].get("kind", "classification"))


def strictly(path: Path) -> Any:
    """A JSON file in which NaN and Infinity are errors."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{path.name} holds {constant}")

    return json.loads(path.read_text(), parse_constant=refuse)
