"""How the rate of a run changes with time: constant, a ramp, or steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


class ShapeKind(StrEnum):
    """A straight line from one rate to another, or rates that each hold for an equal share of the run."""

    RAMP = "ramp"
    STEPS = "steps"


@dataclass(frozen=True, slots=True, kw_only=True)
class RateShape:
    """Requests per second over the measured part of a run; the warm-up before it keeps the first rate.

    Raises:
        ValueError: naming the rates and the rule.
    """

    kind: ShapeKind
    rates_rps: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.kind is ShapeKind.RAMP and len(self.rates_rps) != 2:
            raise ValueError(f"a ramp has {len(self.rates_rps)} rates; give the first and the last, as in 50..200")
        if len(self.rates_rps) < 2:
            raise ValueError(f"steps are {self.rates_rps}; give at least two rates, as in 50,100,200")
        for rate in self.rates_rps:
            if not 0 < rate < math.inf:
                raise ValueError(f"a rate of the shape is {rate:g}; every rate must be above 0")

    @property
    def mean_rps(self) -> float:
        return math.fsum(self.rates_rps) / len(self.rates_rps)


def parse_rate(text: str) -> tuple[float, RateShape | None]:
    """The mean rate and the shape, None when the rate is constant.

    >>> parse_rate("200")
    (200.0, None)
    >>> mean, ramp = parse_rate("50..150")
    >>> mean, ramp.kind.value, ramp.rates_rps
    (100.0, 'ramp', (50.0, 150.0))
    >>> parse_rate("50,100,150")[1].kind.value
    'steps'

    Raises:
        ValueError: when the text is none of the three.
    """
    kind, sign = (ShapeKind.RAMP, "..") if ".." in text else (ShapeKind.STEPS, ",")
    try:
        rates = tuple(float(part) for part in text.split(sign))
    except ValueError:
        raise ValueError(
            f"rate is {text!r}; give requests a second (200), a ramp (50..200) or steps (50,100,200)"
        ) from None
    if len(rates) == 1:
        return rates[0], None
    shape = RateShape(kind=kind, rates_rps=rates)
    return shape.mean_rps, shape


def expected_count(rate_rps: float, shape: RateShape | None, warmup_s: float, duration_s: float) -> float:
    """How many requests the run asks for on average, warm-up included."""
    return float(_knots(rate_rps, shape, warmup_s, duration_s)[1][-1])


def at_counts(
    counts: FloatArray, rate_rps: float, shape: RateShape | None, warmup_s: float, duration_s: float
) -> FloatArray:
    """The times [s], shape as ``counts``, by which so many requests are expected: the inverse of ∫ rate dt.

    A unit-rate process sent through it has the wanted rate at every time, and stays Poisson when it was:
    Çinlar (1975), Introduction to Stochastic Processes, section 4.7. Within a ramp the integral is a
    parabola, which is solved exactly.
    """
    times, cumulated, slopes, rates = _knots(rate_rps, shape, warmup_s, duration_s)
    piece = np.clip(np.searchsorted(cumulated, counts, side="right") - 1, 0, len(rates) - 1)
    beyond, rate, slope = counts - cumulated[piece], rates[piece], slopes[piece]
    # rate·t + slope·t²/2 = beyond, in the form that loses no digits when the slope is 0
    offset: FloatArray = times[piece] + 2 * beyond / (rate + np.sqrt(np.maximum(rate**2 + 2 * slope * beyond, 0.0)))
    return offset


def _knots(
    rate_rps: float, shape: RateShape | None, warmup_s: float, duration_s: float
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Per knot: its time and the requests expected by then; per piece: the rate's slope and first value."""
    if shape is None:
        lengths, rates, slopes = [warmup_s + duration_s], [rate_rps], [0.0]
    elif shape.kind is ShapeKind.RAMP:
        first, last = shape.rates_rps
        lengths, rates, slopes = [warmup_s, duration_s], [first, first], [0.0, (last - first) / duration_s]
    else:
        each = duration_s / len(shape.rates_rps)
        lengths = [warmup_s] + [each] * len(shape.rates_rps)
        rates = [shape.rates_rps[0], *shape.rates_rps]
        slopes = [0.0] * len(rates)
    length, rate, slope = np.array(lengths), np.array(rates), np.array(slopes)
    grown = rate * length + slope * length**2 / 2
    return np.concatenate([[0.0], np.cumsum(length)]), np.concatenate([[0.0], np.cumsum(grown)]), slope, rate
