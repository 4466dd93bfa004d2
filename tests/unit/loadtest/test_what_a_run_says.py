"""Time series, tags, and the analysis that holds everything together."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter

from evalkit.stats.interval import Interval, NotEstimable
from loadtest.analysis import LoadAnalysis, analyse
from loadtest.certificate import CertificateOutcome
from loadtest.plan import OpenLoopPlan
from loadtest.samples import read_samples, tag_columns
from loadtest.schedule import intended_times
from loadtest.tagged import tagged_latencies
from loadtest.time_series import per_second, time_series, write_time_series
from tests.unit.loadtest.made_samples import Sample, write_samples

PLAN = OpenLoopPlan(
    url="http://127.0.0.1:1", rate_rps=200.0, duration_s=10.0, warmup_s=1.0, seed=3, timeout_s=2.0, limit_ms=100.0
)


@pytest.fixture
def samples(tmp_path: Path) -> pd.DataFrame:
    """Second 4 is slow; in second 6 every fifth request is refused, in second 7 every tenth breaks."""
    rng, rows = np.random.default_rng(1), []
    for number, at_s in enumerate(intended_times(PLAN).tolist()):
        took_s = rng.exponential(0.005) + (0.05 if 4 <= at_s < 5 else 0.0)
        status = 503 if 6 <= at_s < 7 and number % 5 == 0 else 500 if 7 <= at_s < 8 and number % 10 == 0 else 200
        rows.append(Sample(at_s, number % 4, at_s, at_s + took_s, status, status == 200, True))
    write_samples(tmp_path / "samples.parquet", rows, PLAN.warmup_s)
    frame = read_samples(tmp_path / "samples.parquet")
    tags = tag_columns(["a", "bb", "c" * 40, "d" * 80], {"channel": ["mail", "mail", "chat", None]})
    return pd.concat([frame, tags.iloc[frame["payload"]].reset_index(drop=True)], axis=1)


def test_the_table_has_a_line_a_second_with_the_warm_up(samples, tmp_path):
    table = per_second(samples, PLAN)
    assert table["second"].tolist() == list(range(11))
    assert table["requests"].sum() == len(samples)
    assert table["failed"].iloc[[5, 8]].tolist() == [0, 0]
    assert table["failed"][6] == table["refused"][6] > 20
    assert table["refused"][7] == 0 < table["failed"][7]
    assert table["p50_ms"].idxmax() == 4
    assert table["p99_ms"][6] == 2000.0
    second = samples[(samples["intended_s"] >= 4) & (samples["intended_s"] < 5)]["latency_ms"]
    assert table["p50_ms"][4] in second.tolist()
    pd.testing.assert_frame_equal(pd.read_parquet(write_time_series(samples, PLAN, tmp_path)), table)


def test_a_second_without_requests_has_no_latency(samples):
    table = per_second(samples[(samples["intended_s"] < 3) | (samples["intended_s"] > 5)], PLAN)
    assert table["requests"][3] == 0
    assert np.isnan(table["p99_ms"][3])
    assert time_series(samples[samples["intended_s"] < 3], PLAN).p50_ms[5] is None


def test_a_long_run_is_drawn_in_at_most_120_windows(samples):
    plan = OpenLoopPlan(url="http://127.0.0.1:1", rate_rps=1.0, duration_s=1000.0)
    series = time_series(samples, plan)
    assert series.window_s == 9.0
    assert len(series.requests) == 112


def test_latency_is_told_of_each_subpopulation_and_of_each_text_length(samples):
    found = {(each.tag, each.value): each for each in tagged_latencies(samples, PLAN, 0.9)}
    measured = samples[~samples["warmup"]]
    mail = measured[measured["tag_channel"] == "mail"]
    assert found["channel", "mail"].requests == len(mail)
    assert found["channel", "mail"].failed == (~mail["ok"]).sum() > 0
    assert set(found) == {
        ("channel", "mail"),
        ("channel", "chat"),
        ("text_length", "1 to 2 characters"),
        ("text_length", "3 to 40 characters"),
        ("text_length", "41 to 80 characters"),
    }
    lengths = [each.requests for (tag, _), each in found.items() if tag == "text_length"]
    assert sum(lengths) == len(measured)
    p50 = found["channel", "chat"].p50_ms
    assert isinstance(p50, Interval)
    chat = measured[measured["tag_channel"] == "chat"]
    charged = chat["latency_ms"].where(chat["ok"], 2000.0)
    assert p50.point == np.quantile(charged, 0.5, method="inverted_cdf")


def test_texts_of_one_length_are_one_quarter(samples):
    alike = samples.assign(text_length=7).drop(columns="tag_channel")
    assert [each.value for each in tagged_latencies(alike, PLAN, 0.9)] == ["7 characters"]


def test_a_subpopulation_that_is_too_small_has_no_p99(samples):
    few = samples.assign(tag_channel=np.where(np.arange(len(samples)) % 100 == 0, "rare", "usual"))
    found = {each.value: each for each in tagged_latencies(few, PLAN, 0.9) if each.tag == "channel"}
    assert isinstance(found["rare"].p99_ms, NotEstimable)


def test_refusals_errors_and_goodput_are_shares_of_all_requests(samples):
    summary = analyse(samples, PLAN, 0.9).summary
    measured = samples[~samples["warmup"]]
    for estimate, share in (
        (summary.refusal_rate, (measured["status"] == 503).mean()),
        (summary.error_rate, (measured["status"] == 500).mean()),
        (summary.goodput_share, (measured["ok"] & (measured["latency_ms"] <= 100)).mean()),
    ):
        assert isinstance(estimate, Interval)
        assert estimate.point == pytest.approx(share)
        assert estimate.lower < share < estimate.upper
    assert summary.answers.refused == (measured["status"] == 503).sum()
    assert isinstance(summary.throughput_rps, Interval)
    assert summary.throughput_rps.point == pytest.approx(measured["ok"].sum() / 10.0, rel=0.02)


def test_the_certificate_charges_failed_requests(samples):
    found = analyse(samples, PLAN, 0.9).certificate
    assert found is not None
    assert found.over_limit == (~samples[~samples["warmup"]]["ok"]).sum()
    assert found.outcome is not CertificateOutcome.HOLDS
    assert found.confidence == 0.95


def test_without_a_limit_there_is_no_certificate(samples):
    plan = OpenLoopPlan(url=PLAN.url, rate_rps=200.0, duration_s=10.0, warmup_s=1.0, seed=3, timeout_s=2.0)
    assert analyse(samples, plan, 0.9).certificate is None


def test_the_analysis_goes_through_json_unchanged(samples):
    analysis, kind = analyse(samples, PLAN, 0.9), TypeAdapter(LoadAnalysis)
    text = json.dumps(kind.dump_python(analysis, mode="json"), allow_nan=False)
    assert kind.validate_json(text) == analysis


def test_a_run_of_nothing_is_analysed_without_a_number(samples):
    analysis = analyse(samples[:0], PLAN, 0.9)
    assert isinstance(analysis.summary.p50_ms, NotEstimable)
    assert isinstance(analysis.summary.refusal_rate, NotEstimable)
    assert isinstance(analysis.drift, NotEstimable)
    assert analysis.summary.observed_p99_ms is None
    assert analysis.tags == ()
    assert analysis.series.p99_ms == (None,) * 11
