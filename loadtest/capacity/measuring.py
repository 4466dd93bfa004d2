"""A trial against a real server: one open-loop run, judged as every load measurement is."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loadtest import layout
from loadtest.capacity.plan import QUANTILE
from loadtest.capacity.trial import Asked, Measure, Measured
from loadtest.generator_info import GeneratorInfo, read_generator_info
from loadtest.plan import OpenLoopPlan
from loadtest.run import run_plan
from loadtest.samples import read_samples
from loadtest.server_watch import watching
from loadtest.summary import LoadSummary, summarise
from loadtest.validity import MAX_FAILURE_RATE, UNKNOWN, ServedSide, void_reasons

BLOCKS = 8
SUMMARY_LEVEL = 0.90

Progress = Callable[[Asked, float], None]


def measuring(
    plan: OpenLoopPlan,
    texts: Sequence[str],
    expected_labels: Sequence[str] | None,
    folder: Path,
    *,
    core: int | None = None,
    server_pid: int | None = None,
    batch_dependent_share: float = 0.0,
    on_progress: Progress | None = None,
) -> Measure:
    """A callback that runs ``plan`` at the rate, for the time and with the seed of a trial, in ``folder``/NNN.

    Who else uses the cores of a server on this machine is watched where its ``server_pid`` is given;
    ``batch_dependent_share`` is that of ``ServedSide``.

    Raises ValueError where the plan has no limit.
    """
    if plan.limit_ms is None:
        raise ValueError("limit_ms is None; a capacity needs a limit on p99")

    def measure(asked: Asked) -> Measured:
        own = dataclasses.replace(
            plan, rate_rps=asked.rate_rps, duration_s=asked.seconds, warmup_s=asked.warmup_s, seed=asked.seed
        )
        here = folder / f"{asked.number:03}"
        began = time.monotonic()
        with watching(server_pid, core) as watch:
            run_plan(
                own,
                texts,
                expected_labels,
                here,
                core=core,
                on_progress=watch.following(None if on_progress is None else lambda share: on_progress(asked, share)),
            )
        samples = read_samples(here / layout.SAMPLES)
        info = read_generator_info(here / layout.GENERATOR)
        served = ServedSide(
            watched=watch.watched,
            check_share=own.check_share if expected_labels else None,
            batch_dependent_share=batch_dependent_share,
        )
        return measured_of(samples, info, own, time.monotonic() - began, served)

    return measure


def measured_of(
    samples: pd.DataFrame, info: GeneratorInfo, plan: OpenLoopPlan, wall_s: float, served: ServedSide = UNKNOWN
) -> Measured:
    """Counts of one run. Failed and refused requests count as over the limit, and do not make the trial void: a server
    that sheds load is over its capacity, and was measured."""
    assert plan.limit_ms is not None
    counted = samples[~samples["warmup"]]
    intended_s = counted["intended_s"].to_numpy(dtype=np.float64)
    failed = ~counted["ok"].to_numpy(dtype=np.bool_)
    latency_ms = counted["latency_ms"].to_numpy(dtype=np.float64)
    latency_ms = np.where(failed, np.maximum(latency_ms, plan.timeout_s * 1000), latency_ms)
    summary = _without_failures(summarise(samples, plan, SUMMARY_LEVEL))
    nobody, reasons = _unanswered(counted, failed, plan), void_reasons(summary, info, plan.limit_ms, served)
    p99_ms = float(np.quantile(latency_ms, QUANTILE, method="inverted_cdf")) if len(latency_ms) else None
    return Measured(
        blocks=_blocks(intended_s, latency_ms > plan.limit_ms, plan),
        failed=int(failed.sum()),
        p99_ms=p99_ms,
        wall_s=wall_s,
        void_reasons=() if _refused(counted) else (*nobody, *reasons),
        generator_late=bool(reasons) and not nobody and not _void_of_a_punctual_generator(summary, info, plan, served),
    )


def _blocks(
    intended_s: NDArray[np.float64], over: NDArray[np.bool_], plan: OpenLoopPlan
) -> tuple[tuple[int, int], ...]:
    edges_s = np.linspace(plan.warmup_s, plan.warmup_s + plan.duration_s, BLOCKS + 1)
    requests, of_them = np.histogram(intended_s, edges_s)[0], np.histogram(intended_s[over], edges_s)[0]
    return tuple(zip(requests.tolist(), of_them.tolist(), strict=True))


def _without_failures(summary: LoadSummary) -> LoadSummary:
    """Every failure as if the server had said that it is full: over the limit, and no reason to void."""
    answers = dataclasses.replace(summary.answers, refused=summary.answers.failed)
    return dataclasses.replace(summary, answers=answers)


def _void_of_a_punctual_generator(
    summary: LoadSummary, info: GeneratorInfo, plan: OpenLoopPlan, served: ServedSide
) -> bool:
    """Whether the run would be void had the generator sent all it should, in time and with ease."""
    punctual = dataclasses.replace(summary, achieved_ratio=1.0, send_lag_p99_ms=0.0)
    return bool(void_reasons(punctual, dataclasses.replace(info, cpu_share=0.0), plan.limit_ms, served))


def _refused(counted: pd.DataFrame) -> bool:
    """Whether the server itself said no to more than 1 % of the requests: an answer, whatever the generator did."""
    status = counted["status"].to_numpy()
    return bool(len(status)) and float(np.mean((status != 0) & (status != 200))) > MAX_FAILURE_RATE


def _unanswered(counted: pd.DataFrame, failed: NDArray[np.bool_], plan: OpenLoopPlan) -> tuple[str, ...]:
    """A server that is not there is not a slow one."""
    at_once = counted["service_ms"].to_numpy() < 1000 * plan.timeout_s
    nobody = failed & (counted["status"].to_numpy() == 0) & at_once
    if not len(nobody) or not nobody.all():
        return ()
    return (f"Not one of {len(nobody)} requests was answered, and none waited for its time-out: is the server up?",)
