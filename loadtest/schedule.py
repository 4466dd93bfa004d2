"""When each request should leave and what it carries: everything random about a run, from its seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from loadtest.errors import InputError
from loadtest.plan import Arrivals, OpenLoopPlan
from loadtest.rate_shape import at_counts, expected_count
from loadtest.trace import Trace, read_trace

# Independent streams of one seed, so that more arrivals never change which payloads are drawn.
_ARRIVALS_STREAM = 0
_PAYLOADS_STREAM = 1
_CHECKED_STREAM = 2
_WORKERS_STREAM = 3
_PAYLOAD_BLOCK = 4096

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Schedule:
    """Per request, shape (n,) each: its number in the whole run, when it should leave, what it carries,
    and whether its answer's label is checked."""

    number: npt.NDArray[np.int32]
    intended_s: FloatArray
    payload: npt.NDArray[np.int32]
    checked: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.number)

    def views(self) -> tuple[Any, Any, Any]:
        """``intended_s``, ``payload`` and ``checked`` as memory views, whose items are plain numbers."""
        return self.intended_s.data, self.payload.data, self.checked.data


def schedule_of(plan: OpenLoopPlan, payload_count: int) -> Schedule:
    """The whole run. The same plan and number of payloads always give the same schedule.

    Raises:
        InputError: when a trace cannot be read, or names a payload that is not there.
    """
    trace = read_trace(plan.trace) if plan.trace is not None else None
    times = _trace_times(plan, trace) if trace is not None else intended_times(plan)
    n = len(times)
    if trace is not None and trace.payloads is not None:
        payloads = trace.payloads[:n]
        if n and payloads.max() >= payload_count:
            raise InputError(
                f"the trace names payload {payloads.max()}; there are {payload_count} requests, counted from 0"
            )
    else:
        payloads = np.fromiter(islice(payload_order(plan.seed, payload_count), n), dtype=np.int64, count=n)
    return Schedule(
        number=np.arange(n, dtype=np.int32),
        intended_s=times,
        payload=payloads.astype(np.int32),
        checked=np.fromiter(islice(checked_order(plan.seed, plan.check_share), n), dtype=np.bool_, count=n),
    )


def split(schedule: Schedule, workers: int, seed: int) -> list[Schedule]:
    """The parts of ``workers`` generators; each request is somebody's, drawn independently.

    So the union is the very schedule. Of a Poisson process each part is a Poisson process too, independent
    of the others (thinning: Çinlar 1975, section 4.4).
    """
    whose = _rng(seed, _WORKERS_STREAM).integers(workers, size=len(schedule))
    return [_part(schedule, whose == worker) for worker in range(workers)]


def intended_times(plan: OpenLoopPlan) -> FloatArray:
    """Intended send times in seconds from the start of the run, ascending, below ``warmup_s + duration_s``.

    Poisson arrivals have exponential gaps and gamma ones gamma-distributed gaps, of mean ``1 / rate_rps``;
    constant ones are equally spaced and start at 0. A shape bends time, so that the rate is right at
    every moment. The same plan always gives the same times.

    Raises:
        InputError: when a trace cannot be read.
    """
    if plan.trace is not None:
        return _trace_times(plan, read_trace(plan.trace))
    span = (plan.rate_rps, plan.shape, plan.warmup_s, plan.duration_s)
    counts = _unit_process(plan, expected_count(*span))
    times = at_counts(counts, *span)
    return times[times < plan.warmup_s + plan.duration_s]


def payload_order(seed: int, payload_count: int) -> Iterator[int]:
    """Which payload the 1st, 2nd, ... request carries: drawn uniformly with replacement, without end."""
    rng = _rng(seed, _PAYLOADS_STREAM)
    while True:
        yield from rng.integers(payload_count, size=_PAYLOAD_BLOCK).tolist()


def checked_order(seed: int, check_share: float) -> Iterator[bool]:
    """Whether the 1st, 2nd, ... answer's label is checked, without end."""
    rng = _rng(seed, _CHECKED_STREAM)
    while True:
        yield from (rng.random(_PAYLOAD_BLOCK) < check_share).tolist()


def write_schedule(path: Path, schedule: Schedule) -> None:
    """Write one generator's part."""
    with path.open("wb") as file:
        np.savez(
            file,
            number=schedule.number,
            intended_s=schedule.intended_s,
            payload=schedule.payload,
            checked=schedule.checked,
        )


def read_schedule(path: Path) -> Schedule:
    """Read what :func:`write_schedule` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        return Schedule(arrays["number"], arrays["intended_s"], arrays["payload"], arrays["checked"])


def _unit_process(plan: OpenLoopPlan, total: float) -> FloatArray:
    """The points on [0, total) of a process of rate 1, ascending."""
    rng = _rng(plan.seed, _ARRIVALS_STREAM)
    match plan.arrivals:
        case Arrivals.CONSTANT:
            return np.arange(int(np.ceil(total)), dtype=np.float64)
        case Arrivals.GAMMA:
            assert plan.gap_cv is not None
            return _gamma_points(plan.gap_cv, total, rng)
        case _:
            # given their number, the points of a Poisson process are uniform on the interval, in order
            return np.sort(rng.uniform(0.0, total, size=rng.poisson(total)))


def _gamma_points(cv: float, total: float, rng: np.random.Generator) -> FloatArray:
    """A stationary renewal process: the gap that holds the start is length-biased, and cut at random."""
    shape, scale = 1 / cv**2, cv**2
    points = [np.array([rng.uniform() * rng.gamma(shape + 1, scale)])]
    while points[-1][-1] < total:
        gaps = rng.gamma(shape, scale, size=int(total - points[-1][-1]) + 100)
        points.append(points[-1][-1] + np.cumsum(gaps))
    found = np.concatenate(points)
    return found[found < total]


def _trace_times(plan: OpenLoopPlan, trace: Trace) -> FloatArray:
    return trace.times_s[trace.times_s < plan.warmup_s + plan.duration_s]


def _part(schedule: Schedule, mask: npt.NDArray[np.bool_]) -> Schedule:
    return Schedule(schedule.number[mask], schedule.intended_s[mask], schedule.payload[mask], schedule.checked[mask])


def _rng(seed: int, stream: int) -> np.random.Generator:
    return np.random.default_rng([seed, stream])
