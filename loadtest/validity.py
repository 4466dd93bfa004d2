"""When a load measurement is void: no number at all, rather than a wrong one."""

from __future__ import annotations

from evalkit.stats.interval import Interval
from loadtest.generator_info import GeneratorInfo
from loadtest.summary import AnswerCounts, LoadSummary

MIN_ACHIEVED_RATIO = 0.99  # below it, the server was never asked at the planned rate
MAX_SEND_LAG_SHARE = 0.10  # of the limit: the generator's own lateness must not decide the verdict
MAX_CPU_SHARE = 0.95  # of one core: beyond it, the generator times itself
MAX_FAILURE_RATE = 0.01
MAX_WRONG_LABEL_RATE = 0.001  # ties broken otherwise by another batch shape, and nothing more


def void_reasons(summary: LoadSummary, generator_info: GeneratorInfo, limit_ms: float | None) -> tuple[str, ...]:
    """Why an open-loop run measured nothing, one sentence a reason; empty when it stands.

    Whoever gets a reason must report the measurement as NotEstimable.
    """
    reasons = [
        *_common_reasons(summary.answers, generator_info),
        _achieved_reason(summary),
        _send_lag_reason(summary, limit_ms),
    ]
    return tuple(reason for reason in reasons if reason is not None)


def saturation_void_reasons(answers: AnswerCounts, generator_info: GeneratorInfo) -> tuple[str, ...]:
    """Why a saturation run measured nothing, one sentence a reason; empty when it stands."""
    return tuple(reason for reason in _common_reasons(answers, generator_info) if reason is not None)


def _common_reasons(answers: AnswerCounts, info: GeneratorInfo) -> list[str | None]:
    return [
        "The run was interrupted before its end." if info.partial else None,
        "No request was sent after the warm-up." if answers.requests == 0 else None,
        _cpu_reason(info),
        _failure_reason(answers),
        _wrong_label_reason(answers),
    ]


def _achieved_reason(summary: LoadSummary) -> str | None:
    ratio = summary.achieved_ratio
    if ratio is None or ratio >= MIN_ACHIEVED_RATIO:
        return None
    return f"Only {ratio:.4f} of the scheduled requests were sent in time; at least {MIN_ACHIEVED_RATIO} must be."


def _send_lag_reason(summary: LoadSummary, limit_ms: float | None) -> str | None:
    """Against the limit, or against p99 itself where no limit is set."""
    lag_ms = summary.send_lag_p99_ms
    if limit_ms is not None:
        allowed_ms, of_what = MAX_SEND_LAG_SHARE * limit_ms, f"the limit of {limit_ms:g} ms"
    elif isinstance(summary.p99_ms, Interval):
        point_ms = summary.p99_ms.point
        allowed_ms, of_what = MAX_SEND_LAG_SHARE * point_ms, f"the p99 latency of {point_ms:.3f} ms"
    else:
        return None
    if lag_ms is None or lag_ms <= allowed_ms:
        return None
    return (
        f"The generator sent late: its send lag p99 is {lag_ms:.3f} ms; "
        f"at most {MAX_SEND_LAG_SHARE:.0%} of {of_what} is allowed, {allowed_ms:.3f} ms."
    )


def _cpu_reason(info: GeneratorInfo) -> str | None:
    if info.cpu_share <= MAX_CPU_SHARE:
        return None
    return f"The generator used {info.cpu_share:.3f} of a core; at most {MAX_CPU_SHARE} is allowed."


def _failure_reason(answers: AnswerCounts) -> str | None:
    rate = answers.failure_rate
    if rate is None or rate <= MAX_FAILURE_RATE:
        return None
    return (
        f"{answers.failed} of {answers.requests} requests failed, a rate of {rate:.4f}; "
        f"at most {MAX_FAILURE_RATE} is allowed."
    )


def _wrong_label_reason(answers: AnswerCounts) -> str | None:
    if answers.wrong_labels <= MAX_WRONG_LABEL_RATE * answers.checked:
        return None
    return (
        f"{answers.wrong_labels} of {answers.checked} checked answers named another label than the model "
        f"gives offline; at most a share of {MAX_WRONG_LABEL_RATE} may."
    )
