"""Questions that each section allows and that together cannot be answered."""

from __future__ import annotations

from collections.abc import Iterator

from evalkit.spec.api_contradictions import api_problems
from evalkit.spec.control_contradictions import control_problems
from evalkit.spec.cost import TokenColumns
from evalkit.spec.gate import GateSpec
from evalkit.spec.subpopulations import LABEL, NEED_PREDICTIONS

WITHOUT_LABELS = ("ranking", "generation")


class Contradiction(Exception):
    """Two parts of one spec that cannot both be meant."""


def refuse_contradictions(spec: GateSpec) -> None:
    """Raises Contradiction for the first requirement that no section can measure."""
    for problem in _problems(spec):
        raise Contradiction(problem)


def _problems(spec: GateSpec) -> Iterator[str]:
    bar = spec.requirements
    yield from _kind_problems(spec)
    yield from _margin_problems(spec)
    yield from control_problems(spec)
    yield from _precision_problems(spec)
    if spec.student.distill and spec.data.train is None:
        yield "student.distill needs data.train; give the training table, or student.load a finished student"
    if spec.student.distill and spec.teacher.recorded is not None:
        yield "student.distill needs teacher.load: recorded held-out predictions cannot label training text"
    yield from api_problems(spec)
    if spec.executor.ray and spec.student.distill and spec.student.distill.processes > 1:
        yield (
            f"student.distill.processes is {spec.student.distill.processes} and executor is ray, where a training is "
            "one process; remove one of the two"
        )
    if spec.load and spec.student.recorded:
        yield "load is given, but recorded predictions cannot be served; remove it, or give the student by load"
    yield from _capacity_problems(spec)
    if not spec.load and (bar.latency.p50_ms or bar.latency.p99_ms):
        yield "requirements.latency needs the load section (rate_rps); add it or remove the requirement"
    for name in ("speed_up", "speed_up_p99"):
        if not spec.load and getattr(bar, name):
            yield f"requirements.{name} needs the load section (rate_rps); add it or remove the requirement"
    if not spec.cost and bar.cost_reduction:
        yield (
            f"requirements.cost_reduction is {bar.cost_reduction:g} but there is no cost section; give prices with "
            "source and date, or set requirements.cost_reduction to null"
        )
    yield from _price_problems(spec)


def _precision_problems(spec: GateSpec) -> Iterator[str]:
    """Precisions that nothing can be made or served in."""
    serve = spec.serve
    asked = (
        ("serve.precision", serve.precision, "student", spec.student.recorded),
        ("serve.teacher_precision", serve.teacher_precision, "teacher", spec.teacher.load is None),
    )
    for key, precision, role, without_model in asked:
        if precision != "fp32" and without_model:
            yield f"{key} is {precision}, but the {role} has no model to make it of; remove it, or give {role}.load"
        if precision == "int8_static" and spec.data.train is None:
            yield (
                f"{key} is int8_static, which needs data.train to find the range of its activations on; give the "
                "training table, or take int8_dynamic"
            )
        if precision == "fp16" and serve.provider != "cuda" and not serve.fp16_on_cpu:
            yield (
                f"{key} is fp16 and serve.provider is {serve.provider}; on a CPU fp16 is slower than fp32. Give "
                "provider cuda, take an int8 precision, or set serve.fp16_on_cpu to true"
            )


def _capacity_problems(spec: GateSpec) -> Iterator[str]:
    if spec.load is None or spec.load.capacity is None:
        return
    limit_ms = spec.load.capacity.p99_ms or spec.requirements.latency.p99_ms
    if limit_ms is None:
        yield "load.capacity has no limit to keep; give load.capacity.p99_ms or requirements.latency.p99_ms"
    elif limit_ms > 1000 * spec.load.timeout_s:
        yield (
            f"load.capacity is to keep p99 below {limit_ms:g} ms, and requests are given up after load.timeout_s "
            f"{spec.load.timeout_s:g}; give a longer time-out or a lower limit"
        )


def _price_problems(spec: GateSpec) -> Iterator[str]:
    """Prices that nothing turns into a cost per request."""
    if spec.cost is None:
        return
    sides = (
        ("teacher", spec.cost.teacher, spec.teacher.recorded),
        ("student", spec.cost.student, spec.student.recorded),
    )
    for side, price, recorded in sides:
        if price.usd_per_hour is not None and not spec.load:
            yield (
                f"cost.{side}.usd_per_hour needs the load section to measure throughput; add it, or give "
                "usd_per_million_requests"
            )
        if price.tokens is None or price.tokens.usage is not None or recorded is not None:
            continue
        if side == "student" or spec.teacher.api is None:
            yield (
                f"cost.{side}.tokens has no recorded usage to apply its prices to; give cost.{side}.tokens.usage (a "
                f"table with one row a call), or {side}.recorded with the token columns"
            )
        elif price.tokens.columns != TokenColumns():
            yield (
                "cost.teacher.tokens.columns names columns of a usage table, and teacher.api's own answers have none "
                "but tokens in and out; give cost.teacher.tokens.usage, or remove columns"
            )


def _kind_problems(spec: GateSpec) -> Iterator[str]:
    kind, query = spec.task.kind, spec.data.columns.query
    if kind != "classification" and not (spec.teacher.recorded and spec.student.recorded):
        yield f"task.kind {kind} is judged on recorded predictions; give both teacher.recorded and student.recorded"
    if kind == "ranking" and query is None:
        yield "task.kind ranking needs data.columns.query: the column that says which items are ranked together"
    if kind != "ranking" and query is not None:
        yield f"data.columns.query is for ranking, and task.kind is {kind}; remove it"
    for each in spec.subpopulations.by if kind in WITHOUT_LABELS else ():
        for column in each.columns:
            if column == LABEL or column in NEED_PREDICTIONS:
                yield f"subpopulations.by groups by {column}, and task.kind {kind} has no labels to group by; remove it"


def _margin_problems(spec: GateSpec) -> Iterator[str]:
    """Groups that are required to be good enough, with nothing that says what that is."""
    quality = spec.requirements.quality
    if quality.subpopulation_margin is not None:
        return
    if spec.discovery is not None and spec.discovery.required:
        yield (
            "discovery.required is true, but requirements.quality.subpopulation_margin is null; give the margin, or "
            "set discovery.required to false"
        )
    judged_by_a_metric = any(each.subpopulations for each in quality.metrics)
    for each in spec.subpopulations.by:
        stated = each.margin is not None or any(policy.margin is not None for policy in each.groups.values())
        if each.required and not stated and not judged_by_a_metric:
            yield (
                f"subpopulations.by {' × '.join(each.columns)} is required, but no margin says what of it; give "
                "margin, requirements.quality.subpopulation_margin, or required: false"
            )
