"""The bar: what is asked of quality, latency and cost, and how often the same rows may be asked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from evalkit.spec.model_sources import Share
from evalkit.spec.section import Section


class MetricBar(Section):
    """A further metric of the task, with what the student may lose of it."""

    metric: Annotated[str, Field(pattern=r"^([a-z][a-z0-9_@.-]*(:.+)?|[A-Za-z_][\w.]*:[A-Za-z_]\w*)$")]
    """A metric by name (macro_f1, log_loss, ndcg@10, f1:<label> …; `evalkit metrics` lists them), or your own as
    package.module:function."""
    margin: Annotated[float, Field(gt=0)]
    """How much worse than the teacher's the student's may be, in the metric's own unit."""
    subpopulations: bool = False
    """Whether the same is asked of every declared subpopulation."""
    required: bool = True


class QualityBar(Section):
    """How much worse the student may be."""

    overall_margin: Share | None = 0.05
    """Accuracy that the student may lose over all held-out rows. Accuracy is the share of right labels; of right label
    sets in multilabel; of exact matches in generation; of queries with a best item first in ranking. null asks none."""
    subpopulation_margin: Share | None = 0.08
    """Accuracy that it may lose in each required subpopulation."""
    retention: Annotated[float, Field(gt=0, le=1.5)] | None = 0.95
    """Student accuracy ÷ teacher accuracy."""
    teacher_accuracy: Share | None = None
    """The teacher's own accuracy, at least: a bad teacher makes no good student."""
    metrics: tuple[MetricBar, ...] = ()

    @field_validator("metrics")
    @classmethod
    def _each_once(cls, metrics: tuple[MetricBar, ...]) -> tuple[MetricBar, ...]:
        names = [each.metric for each in metrics]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{name} stands there twice; name each metric once")
        return metrics


class LatencyBar(Section):
    """Limits on the student's latency at load.rate_rps, from the intended send time."""

    p50_ms: Annotated[float, Field(gt=0)] | None = None
    p99_ms: Annotated[float, Field(gt=0)] | None = None


class Looks(Section):
    """How many verdicts this held-out set is to give. Each spends its part of 1 − confidence, so that all of them
    together give a false GO no more often than one alone would."""

    planned: Annotated[int, Field(ge=1, le=100)]
    spending: Literal["obrien_fleming", "pocock"] = "pocock"
    """How the error is spread over the looks: obrien_fleming keeps nearly all for the last ones, pocock spreads it."""


class Requirements(Section):
    """The bar. Each is decided on an interval's bound, never on a point."""

    confidence: Annotated[float, Field(ge=0.8, lt=1)] = 0.95
    """One-sided confidence of every claim."""
    quality: QualityBar = QualityBar()
    latency: LatencyBar = LatencyBar()
    speed_up: Annotated[float, Field(gt=0)] | None = None
    """Teacher p50 ÷ student p50 at the same rate, at least."""
    speed_up_p99: Annotated[float, Field(gt=0)] | None = None
    """Teacher p99 ÷ student p99 at the same rate, at least."""
    cost_reduction: Annotated[float, Field(gt=0)] | None = 2.0
    """Teacher cost ÷ student cost per request, at least; null where the project needs no saving."""
    looks: Looks | None = None
    """Planned uses of this held-out set; without it each use is counted and reported, and none is corrected for."""
