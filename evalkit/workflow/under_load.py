"""Both models under load: latency, throughput, speed-up in turns and, where it is asked for, capacity."""

from __future__ import annotations

from dataclasses import dataclass, replace

from evalkit.cascade.latency import Latencies
from evalkit.decision.requirement import SPEED_UP, SPEED_UP_P99
from evalkit.predictions.aligned import STUDENT, TEACHER
from evalkit.predictions.recorded_latencies import LATENCY, recorded_latencies
from evalkit.record.run_record import LoadReport
from evalkit.stats.interval import Estimate, NotEstimable
from evalkit.stats.measurement import ALL_ROWS, Measurement
from evalkit.workflow.answering import Answered
from evalkit.workflow.gate import Gate
from evalkit.workflow.inputs import Inputs
from evalkit.workflow.measuring_capacity import Capacity, capacity_of
from evalkit.workflow.measuring_load import Loaded, latency_measurements, load_model, tags_of
from evalkit.workflow.measuring_pair import (
    measure_pair,
    recorded_speed_up_measurements,
    speed_up_measurements,
)
from evalkit.workflow.servable import ServableModel


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderLoad:
    """What was measured; nothing where the spec has no load section.

    ``rates_rps`` are the requests a second that the cost rests on, by role: the capacity where the spec asks for a
    search, else the saturated throughput.
    """

    measurements: tuple[Measurement, ...] = ()
    reports: tuple[LoadReport, ...] = ()
    rates_rps: dict[str, Estimate | None]
    latencies: Latencies | None = None


def put_under_load(
    gate: Gate, inputs: Inputs, answered: Answered, student: ServableModel | None, teacher: ServableModel | None
) -> UnderLoad:
    """Serves and loads the student and, where it is a model, the teacher; each is checked against its own offline
    answers. A recorded teacher is compared by the latencies that were recorded with its answers."""
    if gate.spec.load is None or student is None:
        return UnderLoad(rates_rps={})
    texts = list(inputs.held_out.texts)
    expected = {role: answered.table[role].tolist() for role in (STUDENT, TEACHER)}
    models = {model.role: model for model in (student, teacher) if model is not None}
    tags = None if gate.spec.task.kind == "ranking" else tags_of(inputs.groups, len(texts))
    loaded = {role: load_model(gate, model, texts, expected[role], tags) for role, model in models.items()}
    capacities = {role: capacity_of(gate, model, texts, expected[role]) for role, model in models.items()}
    speed_up = _speed_up(gate, student, teacher, loaded, (texts, expected))
    return UnderLoad(
        measurements=(
            *latency_measurements(tuple(loaded.values())),
            *speed_up,
            *(each.measurement for each in capacities.values() if each is not None),
        ),
        reports=tuple(_report(each, capacities[role]) for role, each in loaded.items()),
        rates_rps={role: _rate(each, capacities[role]) for role, each in loaded.items()},
        latencies=_latencies(loaded),
    )


def _speed_up(
    gate: Gate,
    student: ServableModel,
    teacher: ServableModel | None,
    loaded: dict[str, Loaded],
    requests: tuple[list[str], dict[str, list[str]]],
) -> tuple[Measurement, ...]:
    """Where a model could not even be measured alone, nobody spends minutes on the comparison."""
    if teacher is None:
        return _against_recorded(gate, loaded[STUDENT])
    for each in loaded.values():
        if not each.latencies_ms.size:
            reason = each.p50_ms.reason if isinstance(each.p50_ms, NotEstimable) else "no latency was measured"
            return _nothing(NotEstimable(reason=reason, n=0), each.evidence)
    return speed_up_measurements(measure_pair(gate, student, teacher, *requests), gate.level, gate.spec.seed)


def _report(loaded: Loaded, capacity: Capacity | None) -> LoadReport:
    if capacity is None:
        return loaded.report
    return replace(loaded.report, figures=loaded.report.figures | capacity.figures)


def _rate(loaded: Loaded, capacity: Capacity | None) -> Estimate:
    return loaded.throughput_rps if capacity is None else capacity.rate_rps


def _latencies(loaded: dict[str, Loaded]) -> Latencies | None:
    if TEACHER not in loaded:
        return None
    return Latencies(student_ms=loaded[STUDENT].latencies_ms, teacher_ms=loaded[TEACHER].latencies_ms)


def _against_recorded(gate: Gate, student: Loaded) -> tuple[Measurement, ...]:
    stated = gate.spec.teacher.recorded
    if stated is None:
        reason = "teacher.api answered many requests at once while it labelled, so the speed of one is unknown"
        return _nothing(NotEstimable(reason=reason, n=0), "teacher.api")
    recorded_ms = recorded_latencies(gate.loaded.resolve(stated), TEACHER)
    if recorded_ms is not None:
        return recorded_speed_up_measurements(recorded_ms, student.latencies_ms, gate.level, gate.spec.seed, stated)
    reason = f"teacher.recorded has no column '{LATENCY}', so its speed is unknown"
    return _nothing(NotEstimable(reason=reason, n=0), stated)


def _nothing(why: NotEstimable, evidence: str) -> tuple[Measurement, ...]:
    return tuple(
        Measurement(name=name, subpopulation=ALL_ROWS, unit="ratio", value=why, evidence=evidence)
        for name in (SPEED_UP, SPEED_UP_P99)
    )
