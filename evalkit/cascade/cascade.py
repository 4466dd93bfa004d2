"""From both models' answers, latencies and costs to the cheapest cascade that keeps every bar.

A threshold that is chosen for looking good looks better than it is. Here the choice is part of the test: the
thresholds are judged in an order that was fixed before any answer was looked at, the one that sends most to the teacher
first, each by every required claim about quality at the gate's confidence, and the first that does not pass ends it.
What passes before that is shown to be good enough, all of it together, at that confidence, on all held-out rows (fixed
sequence testing: Maurer, Hothorn and Lehmacher 1995; for choosing a model's threshold: Angelopoulos, Bates, Candès,
Jordan and Lei 2021, "Learn then Test", section 2.3). The last that passed sends least, so it is the cheapest. Its p99
and its saving are then judged once, each at the same confidence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.cascade.latency import Latencies, mixture_quantiles
from evalkit.cascade.mix import mixed, thresholds, top_probability
from evalkit.cascade.saving import mix_reduction, mix_usd_per_million
from evalkit.cost.per_request import level_of_parts, ratio
from evalkit.decision.cascade import CascadeOffer
from evalkit.decision.check import CheckOutcome, decides, outcomes_of
from evalkit.decision.evidence import claims_of
from evalkit.decision.family import p_broken
from evalkit.decision.outcome import Outcome, together
from evalkit.decision.requirement import SPEED_UP, SPEED_UP_P99, STUDENT_P50, STUDENT_P99, Requirement
from evalkit.decision.wording import describe
from evalkit.quality.paired_gap import GAP, accuracy
from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.measurement import ALL_ROWS, Measurement
from evalkit.stats.serial_quantiles import serial_quantile

MIX = "the mix's latencies"
ON_TIME = (STUDENT_P50, STUDENT_P99, SPEED_UP, SPEED_UP_P99)
Measure = Callable[[pd.DataFrame, bool], tuple[Measurement, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadeLine:
    """One threshold: requests on which the student's top probability lies below it go on to the teacher.

    ``keeps_quality`` is None where it was not judged, because a safer one already failed.
    """

    threshold: float
    share_to_teacher: Estimate
    gap: Estimate
    p99_ms: Estimate
    usd_per_million: float | None
    cost_reduction: Estimate
    keeps_quality: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cascade:
    """The thresholds, the safest first; ``best`` numbers the cheapest that keeps every bar. Where there is none,
    ``reason`` says why; ``offer`` is what the decision may recommend."""

    lines: tuple[CascadeLine, ...]
    best: int | None
    offer: CascadeOffer | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CascadeQuestion:
    """All that a cascade is worked out from.

    ``table`` is the aligned table of a classification, ``clusters`` [n] which of its rows belong together.
    ``measure`` gives the quality measurements of any such table: all that ``requirements`` ask for, or where its
    second argument is False the gap over all rows alone. ``costs`` holds the estimates ``teacher`` and ``student`` in
    dollars per million requests and ``reduction``, their ratio at two-sided ``level`` or above.
    """

    table: pd.DataFrame
    labels: tuple[str, ...]
    clusters: NDArray[np.int64] | None
    measure: Measure
    requirements: tuple[Requirement, ...]
    confidence: float
    latencies: Latencies | None
    costs: Mapping[str, Estimate]

    @property
    def level(self) -> float:
        return 2.0 * self.confidence - 1.0


def work_out(question: CascadeQuestion, rng: np.random.Generator) -> Cascade:
    """The table of thresholds and, where one keeps every bar, the cheapest that does."""
    confidence = top_probability(question.table, question.labels)
    if confidence is None:
        return _none("the student's probabilities are not known, so nothing says what it is unsure of")
    quality = [claim for claim in question.requirements if claim.is_quality and claim.can_break]
    if not any(claim.required for claim in quality):
        return _none("nothing is required of the answers, so no threshold can be chosen by them")
    candidates = thresholds(confidence)
    if not candidates:
        return _none("the student is equally sure of every row")
    lines, best, reason = _judged(question, confidence, candidates, quality)
    lines = _with_latencies(question, lines, rng)
    if best is None:
        return Cascade(lines=lines, best=None, offer=None, reason=reason)
    short = _latency_shortfall(question, lines[best], rng)
    if short is not None:
        return Cascade(lines=lines, best=None, offer=None, reason=f"the cheapest that keeps the quality: {short}")
    return Cascade(lines=lines, best=best, offer=_offer(lines, best), reason=None)


def _none(reason: str) -> Cascade:
    return Cascade(lines=(), best=None, offer=None, reason=reason)


def _judged(
    question: CascadeQuestion,
    confidence: NDArray[np.float64],
    candidates: Sequence[float],
    quality: Sequence[Requirement],
) -> tuple[tuple[CascadeLine, ...], int | None, str | None]:
    """Every line, the last that passed before one did not, and why there is none where there is none."""
    lines: list[CascadeLine] = []
    best, reason, is_open = None, None, True
    for number, threshold in enumerate(candidates):
        sent = confidence < threshold
        table = mixed(question.table, question.labels, sent)
        measured = question.measure(table, is_open)
        keeps: bool | None = None
        if is_open:
            short = _shortfall(quality, measured, question.confidence)
            keeps = is_open = short is None
            best = number if keeps else best
            reason = reason or short
        share = accuracy("share_to_teacher", ALL_ROWS, sent, question.clusters, question.level).value
        lines.append(_line(question, threshold, float(sent.mean()), share, measured, keeps))
    if best is None:
        first = lines[0].share_to_teacher
        most = f"{first.point:.0%}" if isinstance(first, Interval) else "most"
        return tuple(lines), None, f"even with {most} of the requests sent on, {reason}"
    return tuple(lines), best, None


def _shortfall(quality: Sequence[Requirement], measured: Sequence[Measurement], confidence: float) -> str | None:
    """Why the mix does not keep every bar; None where it is shown to."""
    claims = claims_of(quality, measured, confidence)
    outcomes = outcomes_of(claims, p_broken(claims), confidence)
    deciding = [(claim, each) for claim, each in zip(claims, outcomes, strict=True) if decides(claim.requirement, each)]
    if together(each for _, each in deciding) is Outcome.GO:
        return None
    return next(describe(claim) for claim, each in deciding if each is not CheckOutcome.PASSED)


def _line(
    question: CascadeQuestion,
    threshold: float,
    sent: float,
    share: Estimate,
    measured: Sequence[Measurement],
    keeps_quality: bool | None,
) -> CascadeLine:
    gaps = (each.value for each in measured if each.name == GAP and each.subpopulation == ALL_ROWS)
    return CascadeLine(
        threshold=threshold,
        share_to_teacher=share,
        gap=next(gaps),
        p99_ms=NotEstimable(reason="no load was put on both models", n=0),
        usd_per_million=mix_usd_per_million(question.costs["teacher"], question.costs["student"], sent),
        cost_reduction=mix_reduction(question.costs["reduction"], share),
        keeps_quality=keeps_quality,
    )


def _with_latencies(
    question: CascadeQuestion, lines: Sequence[CascadeLine], rng: np.random.Generator
) -> tuple[CascadeLine, ...]:
    if question.latencies is None:
        return tuple(lines)
    shares = [_share_and_rows(line) for line in lines]
    values = mixture_quantiles(question.latencies, shares, 0.99, question.level, rng)
    return tuple(replace(line, p99_ms=value) for line, value in zip(lines, values, strict=True))


def _share_and_rows(line: CascadeLine) -> tuple[float, int]:
    share = line.share_to_teacher
    return (share.point, share.n) if isinstance(share, Interval) else (1.0, 1)


def _latency_shortfall(question: CascadeQuestion, line: CascadeLine, rng: np.random.Generator) -> str | None:
    """Which requirement on time the mix at this threshold is not shown to keep."""
    asked = [each for each in question.requirements if each.measurement in ON_TIME]
    if not asked:
        return None
    claims = claims_of(asked, _times(question, line, rng), question.confidence)
    short = [claim for claim in claims if claim.requirement.required and not claim.is_inside]
    return describe(short[0]) if short else None


def _times(question: CascadeQuestion, line: CascadeLine, rng: np.random.Generator) -> list[Measurement]:
    if question.latencies is None:
        return []
    share, finer = [_share_and_rows(line)], level_of_parts(question.level)
    (p50,) = mixture_quantiles(question.latencies, share, 0.5, question.level, rng)
    speed_ups = [
        ratio(
            serial_quantile(question.latencies.teacher_ms, q, finer),
            mixture_quantiles(question.latencies, share, q, finer, rng)[0],
        )
        for q in (0.5, 0.99)
    ]
    return [
        Measurement(name=name, subpopulation=ALL_ROWS, unit=unit, value=value, evidence=MIX)
        for name, unit, value in (
            (STUDENT_P50, "ms", p50),
            (STUDENT_P99, "ms", line.p99_ms),
            (SPEED_UP, "ratio", speed_ups[0]),
            (SPEED_UP_P99, "ratio", speed_ups[1]),
        )
    ]


def _offer(lines: Sequence[CascadeLine], best: int) -> CascadeOffer | None:
    line = lines[best]
    share = line.share_to_teacher
    if not isinstance(share, Interval):
        return None
    judged = sum(each.keeps_quality is not None for each in lines)
    said = [f"those on which the student's top probability is below {line.threshold:.4g}"]
    if isinstance(line.gap, Interval):
        low, high = (f"{100 * end:+.1f}".replace("-", "−") for end in (line.gap.lower, line.gap.upper))
        said.append(f"accuracy gap {low} to {high} points")
    if isinstance(line.p99_ms, Interval):
        said.append(f"p99 {line.p99_ms.lower:.1f} to {line.p99_ms.upper:.1f} ms")
    if isinstance(line.cost_reduction, Interval):
        said.append(f"{line.cost_reduction.lower:.2f} to {line.cost_reduction.upper:.2f} × cheaper than the teacher")
    said.append(f"chosen as the last that passed of {judged} judged from the safest on, which does not flatter it")
    return CascadeOffer(share_to_teacher=share.point, cost_reduction=line.cost_reduction, explanation="; ".join(said))
