"""From stated prices, measured rates and recorded usage to cost measurements, and to the record's part about money."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evalkit.cost.fleet import traffic_of
from evalkit.cost.per_request import cost_measurements, level_of_parts, usd_per_million
from evalkit.cost.report import CostReport, UsageSummary, cost_report
from evalkit.cost.tokens import token_usd_per_million
from evalkit.cost.usage import Usage, read_usage
from evalkit.errors import DataError
from evalkit.predictions.aligned import STUDENT, TEACHER
from evalkit.record.layout import utc_now
from evalkit.record.stages import file_digest
from evalkit.spec.cost import Cost, Price
from evalkit.spec.loading import LoadedSpec
from evalkit.stats.interval import Estimate
from evalkit.stats.measurement import Measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedUsage:
    """One API's calls, and the file that they stand in."""

    usage: Usage
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What the verdict reads of the cost, and what the record says beside it; nothing where no prices are stated."""

    measurements: tuple[Measurement, ...] = ()
    report: CostReport | None = None


def recorded_usage(loaded: LoadedSpec) -> dict[str, RecordedUsage]:
    """The token usage of each role whose price is by the token. Raises DataError before anything expensive starts."""
    spec = loaded.spec
    if spec.cost is None:
        return {}
    sides = {TEACHER: (spec.cost.teacher, spec.teacher.recorded), STUDENT: (spec.cost.student, spec.student.recorded)}
    return {
        role: _read(loaded, role, price, recorded)
        for role, (price, recorded) in sides.items()
        if price.tokens is not None
    }


def _read(loaded: LoadedSpec, role: str, price: Price, recorded: str | None) -> RecordedUsage:
    assert price.tokens is not None
    own = price.tokens.usage
    name = f"{role}.recorded" if own is None else f"cost.{role}.tokens.usage"
    stated = recorded if own is None else own
    assert stated is not None
    path: Path = loaded.resolve(stated)
    if not path.is_file():
        raise DataError(f"{name} {path} does not exist; correct the path in {loaded.path}")
    return RecordedUsage(usage=read_usage(path, price.tokens.columns, name), digest=file_digest(path))


def charged(cost: Cost | None, usage: Mapping[str, RecordedUsage], level: float, seed: int) -> dict[str, Estimate]:
    """What each recorded usage comes to in dollars per million answers, for a ratio of two at ``level``."""
    if cost is None:
        return {}
    return {
        role: token_usd_per_million(price.tokens, usage[role].usage, level_of_parts(level), np.random.default_rng(seed))
        for role, price in ((TEACHER, cost.teacher), (STUDENT, cost.student))
        if price.tokens is not None
    }


def judge_cost(
    cost: Cost | None,
    usage: Mapping[str, RecordedUsage],
    rates_rps: Mapping[str, Estimate | None],
    level: float,
    seed: int,
) -> Costs:
    """Cost per million requests of both, the reduction, and all that follows. ``rates_rps`` are the successful
    answers a second of each role, at ``level_of_parts(level)``."""
    if cost is None:
        return Costs()
    by_token, traffic = charged(cost, usage, level, seed), traffic_of(cost)
    per_million = {
        role: usd_per_million(price, rates_rps.get(role), charged=by_token.get(role), traffic=traffic)
        for role, price in ((TEACHER, cost.teacher), (STUDENT, cost.student))
    }
    summaries = {role: _summary(each) for role, each in usage.items()}
    today = datetime.date.fromisoformat(utc_now()[:10])
    return Costs(
        measurements=cost_measurements(per_million[TEACHER], per_million[STUDENT]),
        report=cost_report(cost, per_million, rates_rps, summaries, today),
    )


def _summary(recorded: RecordedUsage) -> UsageSummary:
    usage = recorded.usage
    return UsageSummary(
        digest=recorded.digest,
        calls=len(usage.answered),
        answered=int(usage.answered.sum()),
        input_tokens=int(usage.input_tokens.sum()),
        output_tokens=int(usage.output_tokens.sum()),
        cached_tokens=int(usage.cached_tokens.sum()),
    )
