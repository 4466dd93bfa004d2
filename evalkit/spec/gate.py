"""gate.yaml as frozen types: the question, asked before anything is measured."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from evalkit.spec.model_sources import Share, Student, Teacher
from evalkit.spec.section import Section


class Task(Section):
    """What the models decide."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    """Lower-case letters, digits, - and _; names the run folder."""
    labels: Annotated[tuple[str, ...], Field(min_length=2)]
    """Every answer that is allowed."""
    kind: Literal["classification"] = "classification"
    description: str = ""

    @field_validator("labels")
    @classmethod
    def _labels_differ(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} stands there twice; name each label once")
        return labels


class Columns(Section):
    """Which column of the tables holds what."""

    id: str = "id"
    text: str = "text"
    label: str = "label"
    cluster: str | None = None
    """Rows of one user, document or template belong together."""


class Data(Section):
    """Tables as CSV, Parquet or JSONL, by path relative to gate.yaml."""

    held_out: str
    train: str | None = None
    """Needed for student.distill. Rows without a label are used with the teacher's output alone."""
    production: str | None = None
    """A sample of real inputs, to see whether the held-out set resembles them."""
    columns: Columns = Columns()
    max_leakage: Annotated[float, Field(ge=0, le=1)] = 0.0
    """The share of held-out texts that may also stand in train."""


class Subpopulation(Section):
    """Held-out rows grouped by the values of one column or of several crossed."""

    columns: Annotated[tuple[str, ...], Field(min_length=1)]
    margin: Share | None = None
    """Accuracy that the student may lose here; requirements.quality.subpopulation_margin when not given."""
    required: bool = True
    """A watched subpopulation (required: false) is reported but decides nothing."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"columns": (value,)}
        if isinstance(value, list):
            return {"columns": tuple(value)}
        if isinstance(value, dict) and isinstance(value.get("columns"), str):
            return {**value, "columns": (value["columns"],)}
        return value

    @field_validator("columns")
    @classmethod
    def _columns_differ(cls, columns: tuple[str, ...]) -> tuple[str, ...]:
        for column in columns:
            if columns.count(column) > 1:
                raise ValueError(f"{column} stands there twice; name each column once")
        return columns


class Subpopulations(Section):
    """For whom the student must be good enough."""

    by: tuple[Subpopulation, ...] = ()
    small: Literal["refuse", "inconclusive"] = "refuse"
    """What to do with a required group too small ever to pass at its margin: refuse to start, or go on
    knowing that it will be INCONCLUSIVE."""

    @field_validator("by")
    @classmethod
    def _each_once(cls, by: tuple[Subpopulation, ...]) -> tuple[Subpopulation, ...]:
        seen = [frozenset(each.columns) for each in by]
        for each in by:
            if seen.count(frozenset(each.columns)) > 1:
                raise ValueError(f"{' × '.join(each.columns)} stands there twice; name each grouping once")
        return by


class Serve(Section):
    """How both models are exported and served."""

    provider: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Annotated[int, Field(ge=1, le=256)] = 1
    max_batch_rows: Annotated[int, Field(ge=1, le=4096)] = 16
    max_length: Annotated[int, Field(ge=4, le=8192)] = 64
    """Tokens a text is cut at, for models loaded from a Hugging Face folder."""
    parity_tolerance: Annotated[float, Field(gt=0, le=1)] = 1e-3
    """Largest difference of any logit between torch and the exported ONNX file."""


class Load(Section):
    """The open-loop load on the served models."""

    rate_rps: Annotated[float, Field(gt=0, le=1e6)]
    """Requests a second in the latency measurement, the same for teacher and student."""
    duration_s: Annotated[float, Field(ge=2, le=86400)] = 20.0
    warmup_s: Annotated[float, Field(ge=0, le=3600)] = 2.0
    arrivals: Literal["poisson", "constant"] = "poisson"
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 10.0
    saturation_clients: Annotated[int, Field(ge=1, le=4096)] = 16
    saturation_s: Annotated[float, Field(ge=2, le=3600)] = 10.0
    """How long each model is driven as fast as it can go, for its throughput."""


class Price(Section):
    """What a model costs to run, with where the figure is from and when it was read."""

    usd_per_hour: Annotated[float, Field(gt=0)] | None = None
    """Price of the machine that serves it; the cost per request follows from the measured throughput."""
    usd_per_million_requests: Annotated[float, Field(gt=0)] | None = None
    """A price per request that is already known (an API, a bill)."""
    utilisation: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the saturated throughput that is really used over the day."""
    source: Annotated[str, Field(min_length=1)]
    date: datetime.date

    @model_validator(mode="after")
    def _one_price(self) -> Self:
        return self._exactly_one("usd_per_hour", "usd_per_million_requests")


class Cost(Section):
    """Prices, and the volume that they are paid for."""

    teacher: Price
    student: Price
    monthly_requests: Annotated[int, Field(gt=0)] | None = None
    project_usd: Annotated[float, Field(ge=0)] | None = None
    """What the distillation itself costs (labelling, training, engineering)."""


class QualityBar(Section):
    """How much worse the student may be."""

    overall_margin: Share = 0.05
    """Accuracy that the student may lose over all held-out rows."""
    subpopulation_margin: Share = 0.08
    """Accuracy that it may lose in each required subpopulation."""
    retention: Annotated[float, Field(gt=0, le=1.5)] | None = 0.95
    """Student accuracy ÷ teacher accuracy."""


class LatencyBar(Section):
    """Limits on the student's latency at load.rate_rps, from the intended send time."""

    p50_ms: Annotated[float, Field(gt=0)] | None = None
    p99_ms: Annotated[float, Field(gt=0)] | None = None


class Requirements(Section):
    """The bar. Each is decided on an interval's bound, never on a point."""

    confidence: Annotated[float, Field(ge=0.8, lt=1)] = 0.95
    """One-sided confidence of every claim."""
    quality: QualityBar = QualityBar()
    latency: LatencyBar = LatencyBar()
    speed_up: Annotated[float, Field(gt=0)] | None = None
    """Teacher p50 ÷ student p50 at the same rate, at least."""
    cost_reduction: Annotated[float, Field(gt=0)] | None = 2.0
    """Teacher cost ÷ student cost per request, at least; null where the project needs no saving."""


class GateSpec(Section):
    """The whole of gate.yaml."""

    task: Task
    data: Data
    subpopulations: Subpopulations = Subpopulations()
    teacher: Teacher
    student: Student
    serve: Serve = Serve()
    load: Load | None = None
    cost: Cost | None = None
    requirements: Requirements = Requirements()
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1

    @property
    def uses_models(self) -> bool:
        """Whether any model has to be opened (as opposed to two tables of recorded predictions)."""
        return self.teacher.recorded is None and self.student.recorded is None
