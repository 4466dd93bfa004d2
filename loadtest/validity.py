"""When a load measurement is void: no number at all, rather than a wrong one."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.stats import binom

from evalkit.stats.interval import Interval
from loadtest.generator_info import GeneratorInfo
from loadtest.server_watch import Watched
from loadtest.summary import AnswerCounts, LoadSummary

MIN_ACHIEVED_RATIO = 0.99  # below it, the server was never asked at the planned rate
MAX_SEND_LAG_SHARE = 0.10  # of the limit: the generator's own lateness must not decide the verdict
MAX_CPU_SHARE = 0.95  # of one core: beyond it, the generator times itself
MAX_FOREIGN_SHARE = 0.05  # of the server's cores
MAX_FAILURE_RATE = 0.01
MAX_WRONG_LABEL_RATE = 0.001  # ties broken otherwise by another batch shape, and nothing more
MAX_CLOCK_STEP_S = 0.1
MAX_CLOCK_SLEW = 5e-4  # the most by which a clock is adjusted without a step (adjtime, NTP): 500 ppm
ALL_PROVIDERS = "auto"
_CHANCE = 1e-6  # what is drawn at random is a fault only where chance would hardly ever bring it about

LIMITS: dict[str, float] = {
    "min_achieved_ratio": MIN_ACHIEVED_RATIO,
    "max_send_lag_share_of_limit": MAX_SEND_LAG_SHARE,
    "max_generator_cpu_share": MAX_CPU_SHARE,
    "max_foreign_cpu_share": MAX_FOREIGN_SHARE,
    "max_failure_rate": MAX_FAILURE_RATE,
    "max_wrong_label_rate": MAX_WRONG_LABEL_RATE,
    "max_clock_step_s": MAX_CLOCK_STEP_S,
}
"""The rules, for a record: beyond one of them a measurement is void."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedSide:
    """What is known of the served side. None, where nobody could know.

    ``provider_asked`` and ``provider`` are the execution provider that was asked for ("auto" is any) and the one that
    the server names. ``check_share`` is the share of answers whose label had to be compared with the offline one,
    and ``batch_dependent_share`` the most of them that may be others because of the texts in the same batch.
    """

    watched: Watched | None = None
    provider_asked: str | None = None
    provider: str | None = None
    check_share: float | None = None
    batch_dependent_share: float = 0.0


UNKNOWN = ServedSide()


def void_reasons(
    summary: LoadSummary, generator_info: GeneratorInfo, limit_ms: float | None, served: ServedSide = UNKNOWN
) -> tuple[str, ...]:
    """Why an open-loop run measured nothing, one sentence a reason; empty when it stands.

    Whoever gets a reason must report the measurement as NotEstimable. Refused requests void nothing: they are the
    server's answer, and their latency is the time-out.
    """
    reasons = [
        *_common_reasons(summary.answers, generator_info, served),
        _achieved_reason(summary),
        _send_lag_reason(summary, limit_ms),
    ]
    return tuple(reason for reason in reasons if reason is not None)


def saturation_void_reasons(
    answers: AnswerCounts, generator_info: GeneratorInfo, served: ServedSide = UNKNOWN
) -> tuple[str, ...]:
    """Why a saturation run measured nothing, one sentence a reason; empty when it stands."""
    return tuple(reason for reason in _common_reasons(answers, generator_info, served) if reason is not None)


def _common_reasons(answers: AnswerCounts, info: GeneratorInfo, served: ServedSide) -> list[str | None]:
    return [
        "The run was interrupted before its end." if info.partial else None,
        "No request was sent after the warm-up." if answers.requests == 0 else None,
        _cpu_reason(info),
        _failure_reason(answers),
        _wrong_label_reason(answers, served.batch_dependent_share),
        _unchecked_reason(answers, served.check_share),
        _provider_reason(served),
        *(() if served.watched is None else (_foreign_reason(served.watched), _clock_reason(served.watched))),
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
    failed = answers.failed - answers.refused
    if failed <= MAX_FAILURE_RATE * answers.requests:
        return None
    return (
        f"{failed} of {answers.requests} requests failed, a rate of {failed / answers.requests:.4f}; "
        f"at most {MAX_FAILURE_RATE} is allowed."
    )


def _wrong_label_reason(answers: AnswerCounts, dependent: float) -> str | None:
    """Which texts meet in a batch is chance, and with it how many labels depend on it in one run."""
    wrong, checked = answers.wrong_labels, answers.checked
    if wrong <= MAX_WRONG_LABEL_RATE * checked:
        return None
    if dependent and binom.sf(wrong - 1, checked, min(1.0, MAX_WRONG_LABEL_RATE + dependent)) >= _CHANCE:
        return None
    beside = f", beside the {dependent:.4f} that may depend on their batch" if dependent else ""
    return (
        f"{wrong} of {checked} checked answers named another label than the model gives offline; "
        f"at most a share of {MAX_WRONG_LABEL_RATE} may{beside}."
    )


def _unchecked_reason(answers: AnswerCounts, share: float | None) -> str | None:
    """Which answers are checked is drawn at random, so a few fewer than the stated share are no fault."""
    answered = answers.requests - answers.failed
    if share is None or answers.checked >= answered:
        return None
    if binom.cdf(answers.checked, answered, share) >= _CHANCE:
        return None
    return (
        f"Only {answers.checked} of {answered} answers were compared with what the model gives offline; "
        f"a share of {share:g} should have been."
    )


def _provider_reason(served: ServedSide) -> str | None:
    if served.provider_asked in (None, ALL_PROVIDERS, served.provider):
        return None
    return f"The server ran on the execution provider {served.provider}; {served.provider_asked} was asked for."


def _foreign_reason(watched: Watched) -> str | None:
    if watched.server_pid is None:
        return None
    cores = f"the server's core{'s' if len(watched.server_cores) > 1 else ''}"
    if watched.server_cores:
        cores += f" {', '.join(map(str, watched.server_cores))}"
    if watched.foreign_share is None:
        return f"It is not known what else ran on {cores}: {watched.unknown}."
    if watched.foreign_share <= MAX_FOREIGN_SHARE:
        return None
    return f"Other processes used {watched.foreign_share:.3f} of {cores}; at most {MAX_FOREIGN_SHARE} is allowed."


def _clock_reason(watched: Watched) -> str | None:
    allowed_s = MAX_CLOCK_STEP_S + MAX_CLOCK_SLEW * watched.wall_s
    if watched.clock_step_s <= allowed_s:
        return None
    return (
        f"The wall clock moved {watched.clock_step_s:.3f} s against the monotonic clock: it was set, or the machine "
        f"stood still; at most {allowed_s:.3f} s is allowed."
    )
