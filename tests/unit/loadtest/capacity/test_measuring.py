"""From one run's samples to the counts of a trial."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from loadtest.capacity.measuring import measured_of, measuring
from loadtest.capacity.trial import Measured
from loadtest.generator_info import GeneratorInfo
from loadtest.plan import Arrivals, OpenLoopPlan
from loadtest.samples import read_samples
from loadtest.schedule import intended_times
from loadtest.server_watch import Watched
from loadtest.validity import ServedSide
from tests.unit.loadtest.made_samples import Sample, write_samples

PLAN = OpenLoopPlan(
    url="http://127.0.0.1:1",
    rate_rps=100.0,
    duration_s=8.0,
    warmup_s=1.0,
    arrivals=Arrivals.CONSTANT,
    timeout_s=2.0,
    limit_ms=50.0,
)
CALM = GeneratorInfo(
    started_at="2026-11-24T10:00:00+00:00",
    wall_s=9.0,
    sent=900,
    cpu_share=0.2,
    core=None,
    foreign_core_share=None,
    locust_version="2.32",
    partial=False,
)


def answered() -> list[Sample]:
    """900 requests, of which the last 800 count, each answered in 10 ms."""
    return [Sample(time, 0, time, time + 0.010, status=200, ok=True) for time in intended_times(PLAN).tolist()]


def measured(samples: list[Sample], tmp_path: Path, info: GeneratorInfo = CALM) -> Measured:
    write_samples(tmp_path / "samples.parquet", samples, PLAN.warmup_s)
    return measured_of(read_samples(tmp_path / "samples.parquet"), info, PLAN, wall_s=10.5)


def test_requests_are_counted_by_eighths_of_the_time_without_the_warm_up(tmp_path: Path) -> None:
    samples = answered()
    for sample in samples[:105]:  # the whole warm-up, and five more
        sample.done_s = sample.intended_s + 0.051
    found = measured(samples, tmp_path)
    assert found.blocks == ((100, 5), *((100, 0),) * 7)
    assert (found.requests, found.over_limit, found.failed) == (800, 5, 0)
    assert found.p99_ms == pytest.approx(10.0)
    assert found.void_reasons == ()


def test_failed_requests_are_over_the_limit_and_make_no_void(tmp_path: Path) -> None:
    samples = answered()
    for sample in samples[100::10]:
        sample.ok, sample.status = False, 503
    found = measured(samples, tmp_path)
    assert (found.over_limit, found.failed, found.void_reasons) == (80, 80, ())
    assert found.p99_ms == 2000.0  # the time-out that a failed request is charged


def test_a_generator_that_sent_late_makes_the_trial_void_and_is_named_as_the_limit(tmp_path: Path) -> None:
    samples = [replace(sample, sent_s=sample.sent_s + 0.006) for sample in answered()]
    found = measured(samples, tmp_path)
    assert "sent late" in found.void_reasons[0]
    assert found.generator_late


def test_a_generator_that_used_its_whole_core_is_the_limit_too(tmp_path: Path) -> None:
    found = measured(answered(), tmp_path, replace(CALM, cpu_share=0.99))
    assert found.void_reasons
    assert found.generator_late


def test_wrong_labels_make_the_trial_void_through_no_fault_of_the_generator(tmp_path: Path) -> None:
    samples = answered()
    for number, sample in enumerate(samples):
        sample.label_matches = number % 5 > 0
    found = measured(samples, tmp_path)
    assert "another label" in found.void_reasons[0]
    assert not found.generator_late


def test_a_server_that_refuses_was_measured_even_where_the_generator_fell_behind(tmp_path: Path) -> None:
    samples = [replace(sample, sent_s=sample.sent_s + 0.006) for sample in answered()]
    for sample in samples[::20]:
        sample.ok, sample.status = False, 503
    assert measured(samples, tmp_path).void_reasons == ()


def test_a_server_that_is_not_there_is_not_a_slow_one(tmp_path: Path) -> None:
    samples = [Sample(time, 0, time, time + 0.001, status=0, ok=False) for time in intended_times(PLAN).tolist()]
    found = measured(samples, tmp_path)
    assert found.void_reasons[0].startswith("Not one of 800 requests was answered")
    assert not found.generator_late


def test_answers_that_failed_are_not_missed_among_those_that_were_checked(tmp_path: Path) -> None:
    samples = answered()
    for number, sample in enumerate(samples):
        sample.ok = number % 20 > 0
        sample.label_matches = True if sample.ok else None
    write_samples(tmp_path / "samples.parquet", samples, PLAN.warmup_s)
    frame = read_samples(tmp_path / "samples.parquet")
    assert measured_of(frame, CALM, PLAN, 10.5, ServedSide(check_share=1.0)).void_reasons == ()


def test_another_process_on_the_servers_cores_is_no_limit_of_the_generator(tmp_path: Path) -> None:
    busy = Watched(
        wall_s=10, server_pid=1, server_cores=(0,), generator_core=1, separated=True, server_share=0.5,
        foreign_share=0.3, worst_foreign_share=0.5, clock_step_s=0.0, unknown=None,
    )  # fmt: skip
    write_samples(tmp_path / "samples.parquet", answered(), PLAN.warmup_s)
    frame = read_samples(tmp_path / "samples.parquet")
    found = measured_of(frame, CALM, PLAN, 10.5, ServedSide(watched=busy))
    assert "Other processes" in found.void_reasons[0]
    assert not found.generator_late


def test_an_interrupted_trial_is_void(tmp_path: Path) -> None:
    assert measured(answered(), tmp_path, replace(CALM, partial=True)).void_reasons


def test_a_plan_without_a_limit_has_no_capacity(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="limit_ms is None"):
        measuring(replace(PLAN, limit_ms=None), ["a"], None, tmp_path)


def test_the_last_moment_of_the_run_is_counted(tmp_path: Path) -> None:
    samples = answered()
    assert sum(np.array(measured(samples, tmp_path).blocks)[:, 0]) == sum(
        ~pd.read_parquet(tmp_path / "samples.parquet")["warmup"]
    )
