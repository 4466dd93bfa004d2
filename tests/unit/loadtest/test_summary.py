from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evalkit.stats.interval import Interval, NotEstimable
from loadtest.plan import Arrivals, OpenLoopPlan, SaturationPlan
from loadtest.samples import read_samples
from loadtest.schedule import intended_times
from loadtest.summary import count_answers, summarise, throughput
from tests.unit.loadtest.made_samples import Sample, write_samples

PLAN = OpenLoopPlan(
    url="http://127.0.0.1:1",
    rate_rps=100.0,
    duration_s=10.0,
    warmup_s=1.0,
    arrivals=Arrivals.CONSTANT,
    timeout_s=2.0,
    limit_ms=100.0,
)
SATURATION = SaturationPlan(url="http://127.0.0.1:1", clients=1, duration_s=10.0, warmup_s=1.0)


def frame(tmp_path: Path, samples: list[Sample]) -> pd.DataFrame:
    write_samples(tmp_path / "samples.parquet", samples, PLAN.warmup_s)
    return read_samples(tmp_path / "samples.parquet")


def answered(latency_ms: float = 10.0, lag_s: float = 0.0) -> list[Sample]:
    return [
        Sample(time, 0, time + lag_s, time + latency_ms / 1000, status=200, ok=True, label_matches=True)
        for time in intended_times(PLAN).tolist()
    ]


def point(estimate: Interval | NotEstimable) -> float:
    assert isinstance(estimate, Interval)
    return estimate.point


def test_latency_runs_from_the_intended_send_and_service_time_from_the_actual_one(tmp_path: Path) -> None:
    samples = frame(tmp_path, [Sample(2.0, 0, 2.5, 2.6, status=200, ok=True)])
    assert samples["latency_ms"][0] == pytest.approx(600.0)
    assert samples["service_ms"][0] == pytest.approx(100.0)


def test_the_table_keeps_unknown_labels_unknown(tmp_path: Path) -> None:
    samples = frame(tmp_path, [Sample(2.0, 0, 2.0, 2.1, label_matches=m) for m in (None, True, False)])
    assert samples["label_matches"].isna().tolist() == [True, False, False]
    counts = count_answers(samples)
    assert (counts.checked, counts.wrong_labels) == (2, 1)


def test_near_percentiles_are_not_merged(tmp_path: Path) -> None:
    below = summarise(frame(tmp_path, answered(104.9)), PLAN, 0.9)
    above = summarise(frame(tmp_path, answered(105.0)), PLAN, 0.9)
    assert point(below.p99_ms) == pytest.approx(104.9, abs=1e-6)
    assert point(above.p99_ms) == pytest.approx(105.0, abs=1e-6)


def test_warm_up_counts_for_nothing(tmp_path: Path) -> None:
    samples = answered()
    for sample in samples[:100]:
        sample.done_s += 1.5
        sample.ok = False
        sample.label_matches = False
    summary = summarise(frame(tmp_path, samples), PLAN, 0.9)
    assert summary.answers.requests == summary.scheduled == 1000
    assert summary.answers.failed == summary.answers.wrong_labels == 0
    assert point(summary.p99_ms) == pytest.approx(10.0)


def test_failing_fast_is_charged_the_time_out(tmp_path: Path) -> None:
    samples = answered()
    for sample in samples[100::20]:
        sample.ok = False
        sample.done_s = sample.sent_s + 0.001
    summary = summarise(frame(tmp_path, samples), PLAN, 0.9)
    assert summary.answers.failed == 50
    assert summary.answers.failure_rate == pytest.approx(0.05)
    assert point(summary.p90_ms) == pytest.approx(10.0)
    assert point(summary.p99_ms) == 2000.0


def test_a_failure_slower_than_the_time_out_keeps_its_own_latency(tmp_path: Path) -> None:
    samples = answered(latency_ms=2500.0)
    for sample in samples:
        sample.ok = False
    assert point(summarise(frame(tmp_path, samples), PLAN, 0.9).p50_ms) == pytest.approx(2500.0)


def test_requests_sent_late_or_never_are_not_achieved(tmp_path: Path) -> None:
    samples = answered()
    for sample in samples[100:110]:
        sample.sent_s += 0.2
    summary = summarise(frame(tmp_path, samples[:-20]), PLAN, 0.9)
    assert summary.achieved_ratio == pytest.approx((1000 - 10 - 20) / 1000)
    assert summary.send_lag_p99_ms == pytest.approx(200.0, abs=5.0)


def test_goodput_leaves_out_late_failed_and_wrong_answers(tmp_path: Path) -> None:
    samples = answered()
    for sample in samples[0::5]:
        sample.ok = False
    for sample in samples[1::5]:
        sample.label_matches = False
    for sample in samples[2::5]:
        sample.done_s += 0.1
    # one answer a window more than the rest, so that there is a spread
    samples.append(Sample(5.001, 0, 5.001, 5.005, status=200, ok=True, label_matches=None))
    summary = summarise(frame(tmp_path, samples), PLAN, 0.9)
    assert point(summary.goodput_rps) == pytest.approx(40.0, abs=0.5)


def test_nothing_sent_is_no_number(tmp_path: Path) -> None:
    summary = summarise(frame(tmp_path, []), PLAN, 0.9)
    assert summary.achieved_ratio == 0.0
    assert summary.answers.failure_rate is None
    assert summary.send_lag_p99_ms is None
    assert isinstance(summary.p99_ms, NotEstimable)
    assert isinstance(summary.goodput_rps, NotEstimable)


def test_throughput_is_a_student_interval_over_whole_seconds(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    per_second = [int(count) for count in rng.integers(90, 110, size=10)]
    done = [1.0 + second + (k + 0.5) / n for second, n in enumerate(per_second) for k in range(n)]
    samples = [Sample(t - 0.005, 0, t - 0.005, t, status=200, ok=True) for t in done]
    samples += [Sample(t, 0, t, t + 0.01) for t in np.linspace(1, 10, 50)]  # failures
    samples += [Sample(t, 0, t, t + 0.01, status=200, ok=True) for t in np.linspace(0, 0.9, 50)]  # warm-up
    estimate = throughput(frame(tmp_path, samples), SATURATION, 0.95)
    assert isinstance(estimate, Interval)
    assert estimate.n == 10
    assert estimate.point == pytest.approx(np.mean(per_second))
    # t(0.975, 9) = 2.262
    half_width = 2.262 * np.std(per_second, ddof=1) / np.sqrt(10)
    assert estimate.upper - estimate.point == pytest.approx(half_width, rel=1e-3)


def test_a_short_saturation_run_is_cut_into_eight_windows(tmp_path: Path) -> None:
    plan = SaturationPlan(url="http://127.0.0.1:1", clients=1, duration_s=2.0, warmup_s=1.0)
    done = 1.0 + np.sort(np.random.default_rng(2).uniform(0, 2, 400))
    estimate = throughput(frame(tmp_path, [Sample(t, 0, t, t, status=200, ok=True) for t in done]), plan, 0.95)
    assert isinstance(estimate, Interval)
    assert estimate.n == 8
    assert estimate.point == pytest.approx(200.0)


def test_throughput_of_a_server_that_only_fails_is_not_zero_but_unknown(tmp_path: Path) -> None:
    samples = [Sample(t, 0, t, t + 0.01, status=500) for t in np.linspace(1, 10, 50)]
    assert isinstance(throughput(frame(tmp_path, samples), SATURATION, 0.95), NotEstimable)
