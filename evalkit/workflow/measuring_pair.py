"""Teacher beside student: both are served at once, and loaded in turns with the same schedules and payloads.

What drifts (the processor's clock, a busy neighbour) hits both alike, and the ratio of their latencies is taken over
pairs of segments. A teacher behind an API is compared by the latencies that were recorded with its answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.decision.requirement import SPEED_UP, SPEED_UP_P99
from evalkit.predictions.aligned import STUDENT, TEACHER
from evalkit.record.hardware import hardware
from evalkit.record.layout import utc_now, write_json
from evalkit.record.stages import FINISHED, StageResult
from evalkit.spec.gate import Load
from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.measurement import ALL_ROWS, Measurement
from evalkit.stats.paired_segments import FEWEST_SEGMENTS, segment_quantile_ratio
from evalkit.stats.serial_quantiles import serial_quantile_ratio
from evalkit.workflow.gate import Gate
from evalkit.workflow.measuring_load import cores
from evalkit.workflow.servable import ServableModel
from evalkit.workflow.served_process import Served, served
from loadtest import layout as files
from loadtest.generator_info import read_generator_info
from loadtest.plan import MIN_DURATION_S, MIN_EXPECTED_REQUESTS, Arrivals, OpenLoopPlan
from loadtest.run import run_prepared
from loadtest.samples import read_samples
from loadtest.standing import StandingGenerator, standing_generator
from loadtest.summary import charged_latency_ms, count_answers, summarise
from loadtest.validity import ServedSide, saturation_void_reasons, void_reasons

VERSION = 2
ATTEMPTS = 2
MOST_SEGMENTS = 10
SEGMENT_S = 2.0
WARMUP_S = 0.5
PAIR, GENERATOR = "pair.json", "generator"
SUMMARY_LEVEL = 0.9

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One model's side of a pair: where it is served, and what it should answer."""

    role: str
    server: Served
    expected: Sequence[str]
    batch_dependent_share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """Latencies of both models by segment, in ms; nothing where a segment was void twice, with the reasons."""

    student_ms: tuple[FloatArray, ...]
    teacher_ms: tuple[FloatArray, ...]
    void_reasons: tuple[str, ...]
    evidence: str


def segment_plans(load: Load, limit_ms: float | None, seed: int) -> tuple[OpenLoopPlan, ...]:
    """The segments that both models get, each with a seed of its own: together as long as ``load.duration_s``.

    At least 4, at most 10, each of 1 s or more, with 10 requests expected or more. The url is not known yet.
    """
    shortest_s = max(MIN_DURATION_S, MIN_EXPECTED_REQUESTS / load.rate_rps)
    count = min(MOST_SEGMENTS, max(FEWEST_SEGMENTS, int(load.duration_s / max(SEGMENT_S, shortest_s))))
    return tuple(
        OpenLoopPlan(
            url="http://localhost",
            rate_rps=load.rate_rps,
            duration_s=max(shortest_s, load.duration_s / count),
            warmup_s=min(load.warmup_s, WARMUP_S),
            seed=seed + number,
            arrivals=Arrivals(load.arrivals),
            timeout_s=load.timeout_s,
            limit_ms=limit_ms,
        )
        for number in range(count)
    )


def measure_pair(
    gate: Gate,
    student: ServableModel,
    teacher: ServableModel,
    texts: list[str],
    expected: dict[str, list[str]],
) -> Paired:
    """Serves both and loads them in turns. ``expected`` [role] are each model's own offline answers to ``texts``.

    A pair of segments is repeated once where either is void; where it is void again, so is the whole comparison, and
    it is not kept for a later run.
    """
    load = gate.spec.load
    assert load is not None
    limit_ms = gate.spec.requirements.latency.p99_ms
    plans = segment_plans(load, limit_ms, gate.spec.seed)

    def work(folder: Path) -> None:
        server_core, generator_core = cores(gate.spec.serve.threads)
        with ExitStack() as both:
            turns = [
                Turn(
                    role=model.role,
                    server=both.enter_context(
                        served(model.folder, gate.spec.serve, folder / f"{model.role}.log", server_core)
                    ),
                    expected=expected[model.role],
                    batch_dependent_share=model.batch_dependent_share,
                )
                for model in (student, teacher)
            ]
            generator = both.enter_context(standing_generator(folder / GENERATOR, generator_core))
            provider = gate.spec.serve.provider

            def run(plan: OpenLoopPlan, turn: Turn, here: Path) -> tuple[str, ...]:
                return run_segment(plan, turn, texts, here, generator, provider)

            reasons = in_turns(plans, turns, folder, run, gate.reporter.progress)
        reasons = reasons or tuple(each for turn in turns for each in bad_answers(folder, turn, len(plans)))
        write_json(folder / PAIR, {"segments": len(plans), "void": list(reasons), "measured_at": utc_now()})

    result = gate.stage("load-pair", VERSION, _inputs(gate, load, limit_ms, student, teacher), work)
    reasons = tuple(result.read(PAIR)["void"])
    if reasons:
        (result.folder / FINISHED).unlink()
    return _read(gate, result, plans, reasons)


def in_turns(
    plans: Sequence[OpenLoopPlan],
    turns: Sequence[Turn],
    folder: Path,
    run: Callable[[OpenLoopPlan, Turn, Path], tuple[str, ...]],
    report: Callable[[float, str], None],
) -> tuple[str, ...]:
    """Student, teacher; teacher, student; …: so that neither always follows the other.

    Returns why the comparison is void, nothing where it stands.
    """
    for number, plan in enumerate(plans):
        order = turns if number % 2 == 0 else tuple(reversed(turns))
        reasons: tuple[str, ...] = ()
        for _ in range(ATTEMPTS):
            report(number / len(plans), f"segment {number + 1} of {len(plans)}, both models in turns")
            reasons = tuple(
                f"{turn.role}, segment {number + 1}: {reason}"
                for turn in order
                for reason in run(replace(plan, url=turn.server.url), turn, segment_folder(folder, turn.role, number))
            )
            if not reasons:
                break
        if reasons:
            return reasons
    return ()


def run_segment(
    plan: OpenLoopPlan, turn: Turn, texts: Sequence[str], folder: Path, generator: StandingGenerator, provider: str
) -> tuple[str, ...]:
    """One segment of one model; why it is void, nothing where it stands.

    What was answered is judged over all segments: one failure among the 80 requests of a segment is above 1 %.
    """
    run_prepared(plan, texts, turn.expected, folder, lambda: generator.run(plan, folder))
    summary = summarise(read_samples(folder / files.SAMPLES), plan, SUMMARY_LEVEL)
    answers = replace(summary.answers, refused=summary.answers.failed, wrong_labels=0)
    side = ServedSide(provider_asked=provider, provider=turn.server.provider, check_share=plan.check_share)
    info = read_generator_info(folder / files.GENERATOR)
    return void_reasons(replace(summary, answers=answers), info, plan.limit_ms, side)


def bad_answers(folder: Path, turn: Turn, segments: int) -> tuple[str, ...]:
    """Why one model's answers in all segments together void the comparison: too many failed, or named other labels."""
    own = [segment_folder(folder, turn.role, number) for number in range(segments)]
    counts = count_answers(pd.concat([read_samples(each / files.SAMPLES) for each in own]))
    info = read_generator_info(own[-1] / files.GENERATOR)
    side = ServedSide(batch_dependent_share=turn.batch_dependent_share)
    return tuple(f"{turn.role}: {reason}" for reason in saturation_void_reasons(counts, info, side))


def segment_folder(folder: Path, role: str, number: int) -> Path:
    """Where a segment of one model lies."""
    return folder / role / f"{number + 1:02}"


def speed_up_measurements(paired: Paired, level: float, seed: int) -> tuple[Measurement, ...]:
    """How many times as fast the student is, at p50 and at p99."""
    return tuple(
        _measurement(name, _ratio(paired, q, level, seed), paired.evidence)
        for name, q in ((SPEED_UP, 0.50), (SPEED_UP_P99, 0.99))
    )


def recorded_speed_up_measurements(
    recorded_ms: FloatArray, student_ms: FloatArray, level: float, seed: int, evidence: str
) -> tuple[Measurement, ...]:
    """The same against latencies that were recorded with the teacher's answers, shape (n,), in ms.

    They came over another network at another time and load: the two series are independent, and the method says
    whose latencies they were.
    """
    return tuple(
        _measurement(name, _as_recorded(recorded_ms, student_ms, q, level, seed), evidence)
        for name, q in ((SPEED_UP, 0.50), (SPEED_UP_P99, 0.99))
    )


def _ratio(paired: Paired, q: float, level: float, seed: int) -> Estimate:
    if paired.void_reasons:
        return NotEstimable(reason=f"void: {' '.join(paired.void_reasons)}", n=0)
    return segment_quantile_ratio(paired.teacher_ms, paired.student_ms, q, level, np.random.default_rng(seed))


def _as_recorded(recorded_ms: FloatArray, student_ms: FloatArray, q: float, level: float, seed: int) -> Estimate:
    if not student_ms.size:
        return NotEstimable(reason="the student's own latency was not measured", n=0)
    ratio = serial_quantile_ratio(recorded_ms, student_ms, q, level, np.random.default_rng(seed))
    if isinstance(ratio, Interval):
        return replace(ratio, method=f"{ratio.method}; the teacher's latencies as recorded with its answers")
    return ratio


def _measurement(name: str, value: Estimate, evidence: str) -> Measurement:
    return Measurement(name=name, subpopulation=ALL_ROWS, unit="ratio", value=value, evidence=evidence)


def _read(gate: Gate, result: StageResult, plans: Sequence[OpenLoopPlan], reasons: tuple[str, ...]) -> Paired:
    def latencies(role: str) -> tuple[FloatArray, ...]:
        return () if reasons else tuple(_latencies(result.folder, role, *each) for each in enumerate(plans))

    return Paired(
        student_ms=latencies(STUDENT),
        teacher_ms=latencies(TEACHER),
        void_reasons=reasons,
        evidence=str((result.folder / PAIR).relative_to(gate.run.root)),
    )


def _latencies(folder: Path, role: str, number: int, plan: OpenLoopPlan) -> FloatArray:
    samples = read_samples(segment_folder(folder, role, number) / files.SAMPLES)
    return charged_latency_ms(samples[~samples["warmup"]], plan)


def _inputs(
    gate: Gate, load: Load, limit_ms: float | None, student: ServableModel, teacher: ServableModel
) -> dict[str, Any]:
    return {
        "student": student.version,
        "teacher": teacher.version,
        "load": load.model_dump(exclude={"capacity"}),
        "serve": gate.spec.serve.model_dump(),
        "limit_ms": limit_ms,
        "seed": gate.spec.seed,
        "hardware": hardware(),
        **student.judged_with,
        **teacher.judged_with,
    }
