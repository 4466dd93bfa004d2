"""From a generator's raw record to the table of samples."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from loadtest import layout
from loadtest.failures import Failure
from loadtest.generator_info import GeneratorInfo, read_generator_info, write_generator_info
from loadtest.histogram import write_histogram
from loadtest.merging import merge
from loadtest.plan import OpenLoopPlan
from loadtest.recorder import ROW_BYTES, Recorder, read_record
from loadtest.samples import read_samples, tag_columns
from loadtest.schedule import Schedule, schedule_of, split

PLAN = OpenLoopPlan(url="http://127.0.0.1:1", rate_rps=50.0, duration_s=4.0, warmup_s=1.0, timeout_s=2.0)
INFO = GeneratorInfo(
    started_at="2026-01-01T00:00:00+00:00",
    wall_s=10.0,
    sent=3,
    cpu_share=0.2,
    core=1,
    foreign_core_share=None,
    locust_version="2",
    partial=False,
)


def record(path: Path, part: Schedule, answered: int) -> None:
    """All of the part is sent, and the first ``answered`` are answered after 10 ms."""
    recorder = Recorder(path, len(part))
    recorder.plan(part)
    for row in range(len(part)):
        recorder.sent_s[row] = part.intended_s[row] + 0.001
        if row < answered:
            recorder.done_s[row] = part.intended_s[row] + 0.01
            recorder.failure[row] = Failure.NONE
            recorder.status[row] = 200
            recorder.label_matches[row] = row % 2


def test_what_was_never_sent_is_no_sample_and_what_was_not_answered_has_failed(tmp_path: Path) -> None:
    part = schedule_of(PLAN, 3)
    recorder = Recorder(tmp_path / "r", len(part))
    recorder.plan(part)
    recorder.sent_s[0], recorder.done_s[0], recorder.failure[0] = 0.5, 0.75, Failure.NONE
    recorder.sent_s[1] = 0.6
    assert (tmp_path / "r").stat().st_size == len(part) * ROW_BYTES
    found = read_record(tmp_path / "r")
    assert found["number"].tolist() == [0, 1]
    assert found["failure"].tolist() == [Failure.NONE, Failure.CUT]
    assert found["done_s"].tolist() == [0.75, 0.75]


@pytest.mark.parametrize("workers", [1, 3])
def test_records_of_several_workers_merge_into_the_schedule_itself(tmp_path: Path, workers: int) -> None:
    whole = schedule_of(PLAN, 3)
    for worker, part in enumerate(split(whole, workers, 1)):
        own = layout.worker_folder(tmp_path, worker)
        own.mkdir()
        record(own / layout.RECORD, part, len(part))
        write_generator_info(own / layout.GENERATOR, INFO)
    tags = tag_columns(["a", "bb", "ccc"], {"channel": ["x", None, "y"]})
    assert merge(tmp_path, PLAN, workers, tags) == len(whole)
    samples = read_samples(tmp_path / layout.SAMPLES)
    np.testing.assert_array_equal(samples["intended_s"], whole.intended_s)
    np.testing.assert_array_equal(samples["payload"], whole.payload)
    np.testing.assert_allclose(samples["latency_ms"], 10.0)
    np.testing.assert_array_equal(samples["text_length"], whole.payload + 1)
    assert [None if pd.isna(value) else value for value in samples["tag_channel"]] == [
        {0: "x", 1: None, 2: "y"}[payload] for payload in whole.payload
    ]
    assert samples["warmup"].sum() == (whole.intended_s < 1.0).sum()
    assert samples["failure"].isna().all()
    assert sorted(samples["worker"].unique()) == list(range(workers))
    info = read_generator_info(tmp_path / layout.GENERATOR)
    assert info.sent == 3 * workers
    assert not list(tmp_path.glob("worker-*/record.raw"))


def test_one_lost_generator_leaves_the_samples_but_no_word_that_all_went_well(tmp_path: Path) -> None:
    for worker, part in enumerate(split(schedule_of(PLAN, 3), 2, 1)):
        own = layout.worker_folder(tmp_path, worker)
        own.mkdir()
        record(own / layout.RECORD, part, len(part) - worker)
    write_generator_info(layout.worker_folder(tmp_path, 0) / layout.GENERATOR, INFO)
    merge(tmp_path, PLAN, 2, None)
    assert (read_samples(tmp_path / layout.SAMPLES)["failure"] == "cut").sum() == 1
    assert not (tmp_path / layout.GENERATOR).exists()


def test_nothing_recorded_merges_into_nothing(tmp_path: Path) -> None:
    assert merge(tmp_path, PLAN, 2, None) == 0
    assert not (tmp_path / layout.SAMPLES).exists()


def test_the_histogram_of_a_long_run_has_the_raw_samples_quantiles(tmp_path: Path) -> None:
    """To three digits, as Gil Tene's HdrHistogram keeps them; a failed request counts with the time-out."""
    from hdrh.histogram import HdrHistogram

    part = schedule_of(dataclasses.replace(PLAN, rate_rps=5000.0), 1)
    rng = np.random.default_rng(1)
    recorder = Recorder(tmp_path / "worker-0.raw", len(part))
    recorder.plan(part)
    recorder.columns["sent_s"][:] = part.intended_s
    recorder.columns["done_s"][:] = part.intended_s + rng.exponential(0.02, len(part))
    recorder.columns["failure"][:] = Failure.NONE
    recorder.failure[len(part) - 1] = Failure.STATUS
    (tmp_path / "worker-0").mkdir()
    (tmp_path / "worker-0.raw").rename(tmp_path / "worker-0" / layout.RECORD)
    merge(tmp_path, PLAN, 1, None)
    write_histogram(tmp_path / layout.SAMPLES, tmp_path / layout.HISTOGRAM, PLAN.timeout_s)
    histogram = HdrHistogram.decode((tmp_path / layout.HISTOGRAM).read_bytes())
    samples = read_samples(tmp_path / layout.SAMPLES)
    measured = samples[~samples["warmup"]]
    assert histogram.get_total_count() == len(measured)
    assert histogram.get_max_value() == pytest.approx(2_000_000, rel=1e-3)
    raw = np.quantile(measured["latency_ms"], 0.9, method="inverted_cdf")
    assert histogram.get_value_at_percentile(90) == pytest.approx(raw * 1000, rel=2e-3)
