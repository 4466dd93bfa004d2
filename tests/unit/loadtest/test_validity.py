import dataclasses
import re
from typing import Any

import pytest

from evalkit.stats.interval import Interval, NotEstimable
from loadtest.generator_info import GeneratorInfo
from loadtest.server_watch import Watched
from loadtest.summary import AnswerCounts, LoadSummary
from loadtest.validity import LIMITS, ServedSide, saturation_void_reasons, void_reasons

ESTIMATE = Interval(point=20.0, lower=19.0, upper=21.0, level=0.9, n=1000, method="test")
ANSWERS = AnswerCounts(requests=1000, failed=10, refused=0, checked=1000, wrong_labels=1)
SUMMARY = LoadSummary(
    answers=ANSWERS,
    scheduled=1000,
    achieved_ratio=0.99,
    p50_ms=ESTIMATE,
    p90_ms=ESTIMATE,
    p95_ms=ESTIMATE,
    p99_ms=ESTIMATE,
    p999_ms=ESTIMATE,
    service_p50_ms=ESTIMATE,
    throughput_rps=ESTIMATE,
    goodput_rps=ESTIMATE,
    goodput_share=ESTIMATE,
    error_rate=ESTIMATE,
    refusal_rate=ESTIMATE,
    observed_p99_ms=20.0,
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
WATCHED = Watched(
    wall_s=10.0,
    server_pid=4,
    server_cores=(0,),
    generator_core=1,
    separated=True,
    server_share=0.6,
    foreign_share=0.05,
    worst_foreign_share=0.4,
    clock_step_s=0.105,
    unknown=None,
)
SERVED = ServedSide(watched=WATCHED, provider_asked="cpu", provider="cpu", check_share=1.0)


@pytest.mark.parametrize("limit_ms", [20.0, None])
def test_a_run_at_every_bound_stands(limit_ms: float | None) -> None:
    assert void_reasons(SUMMARY, INFO, limit_ms, SERVED) == ()
    assert saturation_void_reasons(ANSWERS, INFO, SERVED) == ()


@pytest.mark.parametrize(
    ("watched", "side", "said"),
    [
        ({"foreign_share": 0.051}, {}, "Other processes used 0.051 of the server's core 0; at most 0.05"),
        ({"foreign_share": 0.2, "server_cores": (0, 3)}, {}, "0.200 of the server's cores 0, 3"),
        ({"foreign_share": None, "unknown": "it was gone"}, {}, "not known what else ran on .*core 0: it was gone"),
        ({"foreign_share": None, "server_cores": (), "unknown": "no such process"}, {}, "not known.*no such process"),
        ({"clock_step_s": 0.106}, {}, "wall clock moved 0.106 s.*at most 0.105 s"),
        ({}, {"provider_asked": "cuda"}, "ran on the execution provider cpu; cuda was asked for"),
    ],
)
def test_a_disturbed_server_voids_both_kinds_of_run(watched: dict[str, Any], side: dict[str, Any], said: str) -> None:
    seen = dataclasses.replace(SERVED, watched=dataclasses.replace(WATCHED, **watched), **side)
    (reason,) = void_reasons(SUMMARY, INFO, 20.0, seen)
    _matches(said, reason)
    assert saturation_void_reasons(ANSWERS, INFO, seen) == (reason,)


def test_any_provider_will_do_where_none_was_asked_for() -> None:
    assert void_reasons(SUMMARY, INFO, 20.0, dataclasses.replace(SERVED, provider_asked="auto")) == ()


def test_a_server_elsewhere_is_not_said_to_be_disturbed() -> None:
    elsewhere = dataclasses.replace(
        WATCHED, server_pid=None, server_cores=(), server_share=None, foreign_share=None, unknown="elsewhere"
    )
    assert void_reasons(SUMMARY, INFO, 20.0, ServedSide(watched=elsewhere)) == ()
    stepped = dataclasses.replace(elsewhere, clock_step_s=3600.0)
    (reason,) = void_reasons(SUMMARY, INFO, 20.0, ServedSide(watched=stepped))
    assert "wall clock" in reason


@pytest.mark.parametrize(
    ("share", "checked", "stands"),
    [(1.0, 990, True), (1.0, 989, False), (0.1, 99, True), (0.1, 70, True), (0.1, 40, False)],
)
def test_answers_that_were_not_compared_void_the_run(share: float, checked: int, stands: bool) -> None:
    """Of 990 answers; a tenth of them is 99, and 40 of them would be drawn once in 10^12 runs."""
    counts = dataclasses.replace(ANSWERS, checked=checked, wrong_labels=0)
    reasons = saturation_void_reasons(counts, INFO, ServedSide(check_share=share))
    assert (reasons == ()) is stands
    assert stands or f"Only {checked} of 990 answers were compared" in reasons[0]


def test_refused_requests_void_nothing() -> None:
    """They are the server's answer, and cost it the time-out in every latency."""
    counts = dataclasses.replace(ANSWERS, failed=500, refused=490)
    assert saturation_void_reasons(counts, INFO) == ()
    worse = dataclasses.replace(ANSWERS, failed=500, refused=489)
    (reason,) = saturation_void_reasons(worse, INFO)
    assert reason.startswith("11 of 1000 requests failed")


def test_every_rule_stands_among_the_limits_of_a_record() -> None:
    assert LIMITS["max_foreign_cpu_share"] == 0.05
    assert LIMITS["min_achieved_ratio"] == 0.99
    assert LIMITS["max_send_lag_share_of_limit"] == 0.10
    assert all(0 < value < 1 for value in LIMITS.values())


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


@pytest.mark.parametrize(("wrong", "void"), [(1, False), (2, False), (11, False), (30, False), (60, True), (400, True)])
def test_labels_that_depend_on_their_batch_are_allowed_and_what_chance_would_not_bring_about_is_not(
    wrong: int, void: bool
) -> None:
    """At most 1 % depend on the batch: of 1000 checked about 11 may differ; 30 is rare, 60 a wrong model."""
    counts = dataclasses.replace(ANSWERS, wrong_labels=wrong)
    reasons = saturation_void_reasons(counts, INFO, ServedSide(batch_dependent_share=0.01))
    assert bool(reasons) == void
    if void:
        _matches(
            f"{wrong} of 1000 checked.*at most a share of 0.001 may, beside the 0.0100 that may depend", reasons[0]
        )


def test_without_such_labels_nothing_is_allowed_beside_the_rule() -> None:
    (reason,) = saturation_void_reasons(dataclasses.replace(ANSWERS, wrong_labels=2), INFO, ServedSide())
    assert reason.endswith("at most a share of 0.001 may.")


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
