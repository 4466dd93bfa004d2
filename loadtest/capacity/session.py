"""The trials of one search as they happen, within its time."""

from __future__ import annotations

from collections.abc import Callable

from loadtest.capacity.plan import SHORT_S, SearchPlan
from loadtest.capacity.result import StoppedBecause
from loadtest.capacity.trial import Asked, Measure, Side, Trial, pooled_side, side_of

ATTEMPTS = 2
SMALLEST_PART = 0.5
"""A trial that the time left cuts to less than this part of its length is not begun."""

Observer = Callable[[Trial], None]


class Stopped(Exception):
    """The search cannot go on."""

    def __init__(self, because: StoppedBecause, explanation: str) -> None:
        super().__init__(explanation)
        self.because = because
        self.explanation = explanation


def void_twice(trial: Trial) -> Stopped:
    """What there is to say after the repetition of a void trial was void, too."""
    reasons = " ".join(trial.measured.void_reasons)
    return Stopped(StoppedBecause.VOID, f"void: at {trial.rate_rps:.4g} requests a second, twice: {reasons}")


class Session:
    """Runs trials one after the other, each with a seed of its own; keeps them all and the time they took."""

    def __init__(self, plan: SearchPlan, measure: Measure, observe: Observer) -> None:
        self.plan = plan
        self.trials: list[Trial] = []
        self.spent_s = 0.0
        self._measure = measure
        self._observe = observe
        self._overhead_s = 1.0

    @property
    def valid(self) -> list[Trial]:
        return [trial for trial in self.trials if trial.side is not Side.VOID]

    def run(self, step: str, rate_rps: float, seconds: float) -> Trial:
        """One trial, repeated once where it is void.

        Returns a void trial only where it is the generator that cannot keep up. Raises Stopped where the trial would
        not end in time, or is void twice for any other reason.
        """
        trial = self._once(step, rate_rps, seconds)
        for _ in range(ATTEMPTS - 1):
            if trial.side is not Side.VOID:
                break
            trial = self._once(step, rate_rps, seconds)
        if trial.side is Side.VOID and not trial.measured.generator_late:
            raise void_twice(trial)
        return trial

    def which_side(self, step: str, rate_rps: float) -> Side:
        """A short trial and, only where it is unclear, a long one; void where the generator cannot keep up.

        What is still unclear then is decided by whether more than 1 % of both trials' requests were over the limit.
        """
        first = self.run(step, rate_rps, self.plan.short_s(rate_rps))
        if first.side is not Side.UNCLEAR:
            return first.side
        second = self.run(step, rate_rps, self.plan.long_s(rate_rps))
        if second.side is Side.VOID:
            return Side.VOID
        pooled = pooled_side((first, second), self.plan.confidence)
        if pooled is not Side.UNCLEAR:
            return pooled
        over = first.measured.over_limit + second.measured.over_limit
        return Side.OVER if over > 0.01 * (first.measured.requests + second.measured.requests) else Side.UNDER

    def _once(self, step: str, rate_rps: float, seconds: float) -> Trial:
        number, warmup_s = len(self.trials) + 1, self.plan.warmup_for_s(rate_rps)
        asked = Asked(
            number=number,
            step=step,
            rate_rps=rate_rps,
            seconds=self._in_time(seconds, warmup_s),
            warmup_s=warmup_s,
            seed=self.plan.seed + number,
        )
        measured = self._measure(asked)
        self.spent_s += measured.wall_s
        self._overhead_s = max(self._overhead_s, measured.wall_s - asked.seconds - warmup_s)
        void = measured.void_reasons or measured.requests == 0
        side = Side.VOID if void else side_of(measured.requests, measured.over_limit, self.plan.confidence)
        trial = Trial(asked=asked, side=side, measured=measured)
        self.trials.append(trial)
        self._observe(trial)
        return trial

    def _in_time(self, seconds: float, warmup_s: float) -> float:
        left_s = 60 * self.plan.max_minutes - self.spent_s - warmup_s - self._overhead_s
        if left_s < max(SMALLEST_PART * seconds, SHORT_S[0]):
            raise Stopped(StoppedBecause.OUT_OF_TIME, f"{self.plan.max_minutes:g} minutes are used up")
        return min(seconds, left_s)
