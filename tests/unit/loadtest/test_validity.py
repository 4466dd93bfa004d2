import dataclasses
import re
from typing import Any

import pytest

from evalkit.stats.interval import Interval, NotEstimable
from loadtest.generator_info import GeneratorInfo
from loadtest.summary import AnswerCounts, LoadSummary
from loadtest.validity import saturation_void_reasons, void_reasons

ESTIMATE = Interval(point=20.0, lower=19.0, upper=21.0, level=0.9, n=1000, method="test")
ANSWERS = AnswerCounts(requests=1000, failed=10, checked=1000, wrong_labels=1)
SUMMARY = LoadSummary(
    answers=ANSWERS,
    scheduled=1000,
    achieved_ratio=0.99,
    p50_ms=ESTIMATE,
    p90_ms=ESTIMATE,
    p95_ms=ESTIMATE,
    p99_ms=ESTIMATE,
    service_p50_ms=ESTIMATE,
    goodput_rps=ESTIMATE,
    send_lag_p99_ms=2.0,
)
INFO = GeneratorInfo(
    started_at="2026-01-01T00:00:00+00:00",
    wall_s=10.0,
    sent=1000,
    cpu_share=0.95,
    core=None,
    foreign_core_share=None,
    locust_version="2",
    partial=False,
)


@pytest.mark.parametrize("limit_ms", [20.0, None])
def test_a_run_at_every_bound_stands(limit_ms: float | None) -> None:
    assert void_reasons(SUMMARY, INFO, limit_ms) == ()
    assert saturation_void_reasons(ANSWERS, INFO) == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"achieved_ratio": 0.9899}, "0.9899 of the scheduled.*0.99"),
        ({"send_lag_p99_ms": 2.001}, "send lag p99 is 2.001 ms.*limit of 20 ms.*2.000 ms"),
    ],
)
def test_bad_timing_is_void_and_says_value_and_rule(change: dict[str, Any], said: str) -> None:
    (reason,) = void_reasons(dataclasses.replace(SUMMARY, **change), INFO, 20.0)
    _matches(said, reason)


@pytest.mark.parametrize(
    ("answers", "info", "said"),
    [
        ({"failed": 11}, {}, "11 of 1000 requests failed.*0.0110.*0.01"),
        ({"wrong_labels": 2}, {}, "2 of 1000 checked.*0.001"),
        ({"wrong_labels": 1, "checked": 999}, {}, "1 of 999 checked"),
        ({}, {"cpu_share": 0.951}, "0.951 of a core.*0.95"),
        ({}, {"partial": True}, "interrupted"),
        ({"requests": 0, "failed": 0, "checked": 0, "wrong_labels": 0}, {}, "No request"),
    ],
)
def test_bad_answers_or_generator_void_both_kinds_of_run(
    answers: dict[str, int], info: dict[str, Any], said: str
) -> None:
    counts = dataclasses.replace(ANSWERS, **answers)
    seen = dataclasses.replace(INFO, **info)
    (reason,) = void_reasons(dataclasses.replace(SUMMARY, answers=counts), seen, 20.0)
    _matches(said, reason)
    assert saturation_void_reasons(counts, seen) == (reason,)


def test_without_a_limit_the_send_lag_is_judged_against_p99() -> None:
    fast = dataclasses.replace(SUMMARY, p99_ms=dataclasses.replace(ESTIMATE, point=19.9))
    (reason,) = void_reasons(fast, INFO, None)
    _matches("2.000 ms.*p99 latency of 19.900 ms", reason)
    assert void_reasons(fast, INFO, 20.0) == ()
    unknown = dataclasses.replace(SUMMARY, p99_ms=NotEstimable(reason="few", n=3))
    assert void_reasons(unknown, INFO, None) == ()


def test_every_broken_rule_is_named() -> None:
    broken = dataclasses.replace(SUMMARY, achieved_ratio=0.5, send_lag_p99_ms=50.0)
    assert len(void_reasons(broken, dataclasses.replace(INFO, partial=True), 20.0)) == 3


def _matches(pattern: str, sentence: str) -> None:

    assert re.search(pattern, sentence), sentence
    assert sentence.endswith(".")
