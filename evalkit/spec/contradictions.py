"""Questions that each section allows and that together cannot be answered."""

from __future__ import annotations

from collections.abc import Iterator

from evalkit.errors import SpecError
from evalkit.spec.gate import GateSpec


def refuse_contradictions(spec: GateSpec) -> None:
    """Raises SpecError for the first requirement that no section can measure."""
    for problem in _problems(spec):
        raise SpecError(problem)


def _problems(spec: GateSpec) -> Iterator[str]:
    bar = spec.requirements
    if spec.student.distill and spec.data.train is None:
        yield "student.distill needs data.train; give the training table, or student.load a finished student"
    if spec.student.distill and spec.teacher.load is None:
        yield "student.distill needs teacher.load: recorded held-out predictions cannot label training text"
    if spec.load and not spec.uses_models:
        yield "load is given, but recorded predictions cannot be served; remove it, or give both models by load"
    if not spec.load and (bar.latency.p50_ms or bar.latency.p99_ms):
        yield "requirements.latency needs the load section (rate_rps); add it or remove the requirement"
    if not spec.load and bar.speed_up:
        yield "requirements.speed_up needs the load section (rate_rps); add it or remove the requirement"
    if not spec.cost and bar.cost_reduction:
        yield (
            f"requirements.cost_reduction is {bar.cost_reduction:g} but there is no cost section; give prices with "
            "source and date, or set requirements.cost_reduction to null"
        )
    if spec.cost and not spec.load:
        for side, price in (("teacher", spec.cost.teacher), ("student", spec.cost.student)):
            if price.usd_per_hour is not None:
                yield (
                    f"cost.{side}.usd_per_hour needs the load section to measure throughput; add it, or give "
                    "usd_per_million_requests"
                )
