"""From stated prices, measured rates and recorded usage to cost measurements, and to the record's part about money."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from evalkit.cost.fleet import traffic_of
from evalkit.cost.per_request import cost_measurements, level_of_parts, usd_per_million
from evalkit.cost.report import CostReport, UsageSummary, cost_report
from evalkit.cost.tokens import token_usd_per_million
from evalkit.cost.usage import Usage, read_usage, usage_of_answers
from evalkit.errors import DataError
from evalkit.predictions.aligned import STUDENT, TEACHER
from evalkit.record.layout import utc_now
from evalkit.record.stages import file_digest
from evalkit.spec.cost import Cost, TokenPrices
from evalkit.spec.loading import LoadedSpec
from evalkit.stats.interval import Estimate, NotEstimable
from evalkit.stats.measurement import Measurement
from evalkit.workflow.inputs import Inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedUsage:
    """One API's calls, the file that they stand in, and where that is from, in words."""

    usage: Usage | NotEstimable
    digest: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What the verdict reads of the cost, and what the record says beside it; nothing where no prices are stated."""

    measurements: tuple[Measurement, ...] = ()
    report: CostReport | None = None


def recorded_usage(loaded: LoadedSpec) -> dict[str, RecordedUsage]:
    """The token usage of each role whose price is by the token and whose calls are recorded. Raises DataError before
    anything expensive starts."""
    spec = loaded.spec
    if spec.cost is None:
        return {}
    sides = {TEACHER: (spec.cost.teacher, spec.teacher.recorded), STUDENT: (spec.cost.student, spec.student.recorded)}
    return {
        role: _read(loaded, role, price.tokens, stated)
        for role, (price, recorded) in sides.items()
        if price.tokens is not None and (stated := price.tokens.usage or recorded) is not None
    }


def usage_of_api(loaded: LoadedSpec, inputs: Inputs, answers: Path) -> dict[str, RecordedUsage]:
    """The usage of an API teacher's ``answers`` to the held-out rows, where its price is by the token and no other
    usage is stated. Rows of one cluster, or of equal text, belong together."""
    cost, columns = loaded.spec.cost, loaded.spec.data.columns
    if cost is None or cost.teacher.tokens is None or cost.teacher.tokens.usage is not None:
        return {}
    clusters = inputs.equal_texts
    if columns.cluster is not None:
        clusters = np.asarray(pd.factorize(inputs.held_out.table[columns.cluster], use_na_sentinel=False)[0])
    usage = usage_of_answers(pd.read_parquet(answers), clusters)
    source = "teacher.api's own answers to the held-out rows"
    return {TEACHER: RecordedUsage(usage=usage, digest=file_digest(answers), source=source)}


def _read(loaded: LoadedSpec, role: str, prices: TokenPrices, stated: str) -> RecordedUsage:
    name = f"{role}.recorded" if prices.usage is None else f"cost.{role}.tokens.usage"
    path: Path = loaded.resolve(stated)
    if not path.is_file():
        raise DataError(f"{name} {path} does not exist; correct the path in {loaded.path}")
    return RecordedUsage(
        usage=read_usage(path, prices.columns, name), digest=file_digest(path), source=f"{name}, {path.name}"
    )


def charged(cost: Cost | None, usage: Mapping[str, RecordedUsage], level: float, seed: int) -> dict[str, Estimate]:
    """What each recorded usage comes to in dollars per million answers, for a ratio of two at ``level``."""
    if cost is None:
        return {}
    sides = ((TEACHER, cost.teacher.tokens), (STUDENT, cost.student.tokens))
    return {
        role: _charged(prices, usage[role].usage, level, seed)
        for role, prices in sides
        if prices is not None and role in usage
    }


def _charged(prices: TokenPrices, usage: Usage | NotEstimable, level: float, seed: int) -> Estimate:
    if isinstance(usage, NotEstimable):
        return usage
    return token_usd_per_million(prices, usage, level_of_parts(level), np.random.default_rng(seed))


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
    summaries = {
        role: _summary(each.usage, each) for role, each in usage.items() if not isinstance(each.usage, NotEstimable)
    }
    today = datetime.date.fromisoformat(utc_now()[:10])
    return Costs(
        measurements=cost_measurements(per_million[TEACHER], per_million[STUDENT]),
        report=cost_report(cost, per_million, rates_rps, summaries, today),
    )


def _summary(usage: Usage, recorded: RecordedUsage) -> UsageSummary:
    return UsageSummary(
        digest=recorded.digest,
        calls=len(usage.answered),
        answered=int(usage.answered.sum()),
        input_tokens=int(usage.input_tokens.sum()),
        output_tokens=int(usage.output_tokens.sum()),
        cached_tokens=int(usage.cached_tokens.sum()),
        source=recorded.source,
    )
