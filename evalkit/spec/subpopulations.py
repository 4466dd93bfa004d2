"""For whom the student must be good enough: declared groups of held-out rows, and the search for others."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from evalkit.spec.model_sources import Share
from evalkit.spec.section import Section, Stated

TEXT_LENGTH = "@text_length"
LABEL = "@label"
TEACHER_ANSWER = "@teacher_answer"
TEACHER_CONFIDENCE = "@teacher_confidence"
STUDENT_CONFIDENCE = "@student_confidence"
DERIVED = (TEXT_LENGTH, LABEL, TEACHER_ANSWER, TEACHER_CONFIDENCE, STUDENT_CONFIDENCE)
"""Columns that evalkit computes: characters of the text, the row's label, the teacher's answer, and the highest
probability that each model gives."""
WORDS = (LABEL, TEACHER_ANSWER)
NEED_PREDICTIONS = (TEACHER_ANSWER, TEACHER_CONFIDENCE, STUDENT_CONFIDENCE)
BINNED_BY_QUARTILES = (TEXT_LENGTH, TEACHER_CONFIDENCE, STUDENT_CONFIDENCE)

Edges = Annotated[tuple[float, ...], Field(min_length=1)]


class GroupPolicy(Section):
    """What differs for one value of a grouping."""

    margin: Share | None = None
    """Accuracy that the student may lose in this group."""
    required: bool | None = None
    weight: Annotated[float, Field(ge=0)] | None = None
    """Its share of production traffic, in any unit; all values of the grouping then need one. The gap is also
    judged as the average over the groups with these weights."""


class Subpopulation(Section):
    """Held-out rows grouped by the values of one column or of several crossed. Besides the table's columns there are
    @text_length (characters), @label, @teacher_answer, @teacher_confidence and @student_confidence."""

    columns: Annotated[tuple[str, ...], Field(min_length=1)]
    margin: Share | None = None
    """Accuracy that the student may lose here; requirements.quality.subpopulation_margin when not given."""
    required: bool = True
    """A watched subpopulation (required: false) is reported but decides nothing."""
    bins: dict[str, Edges] = Field(default_factory=dict)
    """Edges a column, rising: [18, 65] makes <18, [18, 65) and ≥65. One list is enough for a single column."""
    quantiles: dict[str, Annotated[int, Field(ge=2, le=100)]] = Field(default_factory=dict)
    """Groups of equal size a column. One number is enough for a single column."""
    groups: dict[str, GroupPolicy] = Field(default_factory=dict)
    """Policy by value, as the report names it: tweet, or for a cross: tweet, short."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"columns": (value,)}
        if isinstance(value, list | tuple):
            return {"columns": tuple(value)}
        if not isinstance(value, dict):
            return value
        long = dict(value)
        if isinstance(long.get("columns"), str):
            long["columns"] = (long["columns"],)
        columns = long.get("columns")
        if isinstance(columns, list | tuple) and columns:
            for key in ("bins", "quantiles"):
                if isinstance(long.get(key), list | tuple | int | float):
                    long[key] = _of_the_only(columns, key, long[key])
        return long

    @field_validator("columns")
    @classmethod
    def _columns_differ(cls, columns: tuple[str, ...]) -> tuple[str, ...]:
        for column in columns:
            if not column.strip():
                raise ValueError("a column's name is empty; name one of the table's columns")
            if columns.count(column) > 1:
                raise ValueError(f"{column} stands there twice; name each column once")
            if column.startswith("@") and column not in DERIVED:
                raise ValueError(f"{column} is not known; there are {', '.join(DERIVED)}")
        return columns

    @field_validator("bins", mode="before")
    @classmethod
    def _edges_are_no_ranges(cls, bins: Any) -> Any:
        for column, edges in bins.items() if isinstance(bins, dict) else ():
            if isinstance(edges, list | tuple) and any(isinstance(edge, list | tuple) for edge in edges):
                raise ValueError(
                    f"the bins of {column} are ranges, which can overlap; give rising edges, e.g. [18, 65]"
                )
        return bins

    @field_validator("bins")
    @classmethod
    def _edges_rise(cls, bins: Mapping[str, tuple[float, ...]]) -> Mapping[str, tuple[float, ...]]:
        for column, edges in bins.items():
            for lower, upper in itertools.pairwise(edges):
                if not lower < upper:
                    raise ValueError(f"the edges of {column} do not rise ({lower:g}, {upper:g}); order them, each once")
        return bins

    @model_validator(mode="after")
    def _binned_once(self) -> Self:
        for key, stated in (("bins", self.bins), ("quantiles", self.quantiles)):
            for column in stated:
                if column not in self.columns:
                    raise ValueError(f"{key} names {column}, which is not one of columns {', '.join(self.columns)}")
                if column in WORDS:
                    raise ValueError(f"{key} names {column}, which holds words and no numbers; leave {key} out")
        for column in self.bins:
            if column in self.quantiles:
                raise ValueError(f"{column} has bins and quantiles; give one of them")
        return self

    @model_validator(mode="after")
    def _weights_make_an_average(self) -> Self:
        weights = [policy.weight for policy in self.groups.values()]
        given = [weight for weight in weights if weight is not None]
        if given and len(given) < len(weights):
            raise ValueError("some groups have a weight and some have none; give each one")
        if given and not math.fsum(given) > 0:
            raise ValueError("all weights are 0; give at least one above 0")
        return self

    @property
    def requires_something(self) -> bool:
        """Whether a group is required: all of them, or one by its own policy."""
        return self.required or any(policy.required for policy in self.groups.values())

    @property
    def needs_predictions(self) -> bool:
        """Whether the groups are known only once the models have answered."""
        return any(column in NEED_PREDICTIONS for column in self.columns)


def _of_the_only(columns: list[Any] | tuple[Any, ...], key: str, stated: Any) -> dict[Any, Any]:
    if len(columns) > 1:
        names = ", ".join(map(str, columns))
        raise ValueError(f"{key} is given once for several columns ({names}); write {key}: {{{columns[0]}: …}}")
    return {columns[0]: stated}


class Subpopulations(Section):
    """For whom the student must be good enough."""

    by: tuple[Subpopulation, ...] = ()
    small: Literal["block", "inconclusive", "merge"] = "inconclusive"
    """What to do with a required group too small ever to pass at its margin: block (refuse to start), go on
    knowing that it will not be GO, or merge: its parent must pass in its place (a cross without its last column; all
    rows for a single column). A group that is shown to be broken is NO-GO all the same."""
    minimum_rows: Annotated[int, Field(ge=1)] = 1
    """Groups with fewer rows count as too small at any margin: they cannot pass, and can still be shown to be
    broken."""

    @field_validator("by")
    @classmethod
    def _each_once(cls, by: tuple[Subpopulation, ...]) -> tuple[Subpopulation, ...]:
        seen = [frozenset(each.columns) for each in by]
        for each in by:
            if seen.count(frozenset(each.columns)) > 1:
                raise ValueError(f"{' × '.join(each.columns)} stands there twice; name each grouping once")
        return by


class Discovery(Section):
    """The search for subpopulations that nobody declared and that lose most against the teacher. Found on one half
    of the held-out rows, confirmed on the other."""

    columns: tuple[Stated, ...] | None = None
    """Columns to search; every column with few values or with numbers when not given."""
    text_features: bool = True
    """Search also by length, script, share of words not seen in training, and topic of the text."""
    max_columns: Annotated[int, Field(ge=1, le=3)] = 2
    """Columns that one subpopulation may cross at most."""
    min_rows: Annotated[int, Field(ge=10)] = 50
    """Rows that a subpopulation must have in the half that is searched."""
    false_discovery_rate: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    """Expected share of confirmed subpopulations that lose no more than the other rows (Benjamini–Hochberg)."""
    required: bool = True
    """A confirmed subpopulation must then pass at requirements.quality.subpopulation_margin; false: only shown."""

    @field_validator("columns")
    @classmethod
    def _columns_differ(cls, columns: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for column in columns or ():
            if columns and columns.count(column) > 1:
                raise ValueError(f"{column} stands there twice; name each column once")
        return columns

    @model_validator(mode="after")
    def _something_to_search(self) -> Self:
        if self.columns == () and not self.text_features:
            raise ValueError(
                "columns is empty and text_features is false, so nothing is searched; set discovery to null"
            )
        return self
