"""What load to send: one frozen plan an experiment, checked when made, kept as JSON beside its samples."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from loadtest.errors import TargetRefusedError
from loadtest.rate_shape import RateShape, ShapeKind, expected_count
from loadtest.targets.plan import TargetKind, TargetPlan
from loadtest.trace import TracePlan

MAX_RATE_RPS = 100_000.0  # no number of generators on one machine keeps time beyond this
MIN_DURATION_S = 1.0  # below this a single stall is the whole experiment
MAX_DURATION_S = 24 * 3600.0
MAX_TIMEOUT_S = 600.0
MAX_REQUESTS = 5_000_000  # the raw samples of one run are held in memory
MIN_EXPECTED_REQUESTS = 10  # a Poisson schedule of fewer may well be empty
MAX_CLIENTS = 1_000
MAX_GAP_CV = 20.0
CLASSIFY = TargetPlan()


class Arrivals(StrEnum):
    """How intended send times follow each other.

    Independent users; a metronome; gaps that are more (or less) uneven than those of independent users;
    or a recorded trace.
    """

    POISSON = "poisson"
    CONSTANT = "constant"
    GAMMA = "gamma"
    TRACE = "trace"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLoopPlan:
    """Requests leave at scheduled times, whether or not earlier ones were answered.

    ``url`` is the server's base, e.g. ``http://127.0.0.1:8000``. The run lasts ``warmup_s + duration_s``;
    only requests intended after the warm-up count. ``limit_ms`` is the service level objective on
    latency, if there is one. It must lie below the time-out, because a failed request is given the
    time-out as its latency and must never look good.

    ``shape`` changes the rate over the run; ``rate_rps`` is then its mean. ``gap_cv`` is the coefficient of
    variation of gamma-distributed gaps: 1 is Poisson, more is bursty. Of ``check_share`` of the requests
    the answers are read and their labels compared with the expected ones; of the others only the status
    counts.

    Raises:
        ValueError: naming the field, its value and the rule.
    """

    url: str
    rate_rps: float
    duration_s: float
    warmup_s: float = 0.0
    seed: int = 0
    arrivals: Arrivals = Arrivals.POISSON
    timeout_s: float = 10.0
    limit_ms: float | None = None
    gap_cv: float | None = None
    shape: RateShape | None = None
    trace: TracePlan | None = None
    check_share: float = 1.0
    target: TargetPlan = CLASSIFY

    def __post_init__(self) -> None:
        _check_shared(self)
        _check_number("rate_rps", self.rate_rps, above=0.0, most=MAX_RATE_RPS)
        _check_arrivals(self)
        expected = self.rate_rps * self.duration_s
        if expected < MIN_EXPECTED_REQUESTS:
            raise ValueError(
                f"duration_s is {self.duration_s:g}: at {self.rate_rps:g} rps that is about {expected:g} "
                f"requests; plan for at least {MIN_EXPECTED_REQUESTS}"
            )
        total = expected_count(self.rate_rps, self.shape, self.warmup_s, self.duration_s)
        if total > MAX_REQUESTS:
            raise ValueError(f"the plan asks for {total:.0f} requests; {MAX_REQUESTS} is the most one run may hold")
        if self.limit_ms is not None:
            _check_number("limit_ms", self.limit_ms, above=0.0, most=self.timeout_s * 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class SaturationPlan:
    """A closed loop: each client sends its next request as soon as its last one is answered.

    It measures the highest throughput of a server, never its latency under real traffic.

    Raises:
        ValueError: naming the field, its value and the rule.
    """

    url: str
    clients: int
    duration_s: float
    warmup_s: float = 0.0
    seed: int = 0
    timeout_s: float = 10.0
    check_share: float = 1.0
    target: TargetPlan = CLASSIFY

    def __post_init__(self) -> None:
        _check_shared(self)
        _check_number("clients", self.clients, above=0, most=MAX_CLIENTS)


Plan = OpenLoopPlan | SaturationPlan

_KINDS: dict[str, type[OpenLoopPlan] | type[SaturationPlan]] = {
    "open_loop": OpenLoopPlan,
    "saturation": SaturationPlan,
}


def plan_to_json(plan: Plan) -> str:
    """The plan as one JSON object, with its ``kind``.

    >>> plan = SaturationPlan(url="http://127.0.0.1:8000", clients=4, duration_s=10)
    >>> plan_from_json(plan_to_json(plan)) == plan
    True
    """
    kind = next(name for name, plan_type in _KINDS.items() if isinstance(plan, plan_type))
    return json.dumps({"kind": kind, **dataclasses.asdict(plan)}, indent=2)


def plan_from_json(text: str) -> Plan:
    """Read what :func:`plan_to_json` wrote.

    Raises:
        ValueError: for another kind, an unknown or missing field, or a value a plan refuses.
    """
    fields: dict[str, Any] = json.loads(text)
    kind = fields.pop("kind", None)
    if kind not in _KINDS:
        raise ValueError(f"kind is {kind!r}; give one of {sorted(_KINDS)}")
    plan_type = _KINDS[kind]
    known = {field.name for field in dataclasses.fields(plan_type)}
    if unknown := sorted(set(fields) - known):
        raise ValueError(f"a plan of kind {kind!r} has no field {unknown[0]!r}; it has {sorted(known)}")
    try:
        return plan_type(**{name: _from_json(name, value) for name, value in fields.items()})
    except TypeError as error:
        raise ValueError(f"not a plan of kind {kind!r}: {error}") from error


def _from_json(name: str, value: Any) -> Any:
    """The value of a field, where JSON has only its parts."""
    match name:
        case "arrivals":
            return Arrivals(value)
        case "shape" if value is not None:
            return RateShape(kind=ShapeKind(value["kind"]), rates_rps=tuple(value["rates_rps"]))
        case "trace" if value is not None:
            return TracePlan(**value)
        case "target":
            headers = tuple((name, text) for name, text in value.get("headers", ()))
            return TargetPlan(**(value | {"kind": TargetKind(value["kind"]), "headers": headers}))
        case _:
            return value


def check_target(url: str, i_own_this_target: bool) -> None:
    """Refuse to send load anywhere but to this machine, unless the caller owns the target.

    Only ``localhost`` and loopback addresses count as this machine; no other name is resolved.

    Raises:
        TargetRefusedError: when the host is not loopback and ``i_own_this_target`` is false.
        ValueError: when ``url`` is not an HTTP address.
    """
    host = _host(url)
    if not i_own_this_target and not _is_loopback(host):
        raise TargetRefusedError(
            f"target {host} is not this machine: a load test can take a service down. "
            "Give --i-own-this-target if it is yours to load"
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _host(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"url is {url!r}; give the server's base address, e.g. http://127.0.0.1:8000")
    return parts.hostname


def _check_shared(plan: Plan) -> None:
    _host(plan.url)
    _check_number("duration_s", plan.duration_s, least=MIN_DURATION_S, most=MAX_DURATION_S)
    _check_number("warmup_s", plan.warmup_s, least=0.0, most=MAX_DURATION_S)
    _check_number("timeout_s", plan.timeout_s, above=0.0, most=MAX_TIMEOUT_S)
    _check_number("seed", plan.seed, least=0, most=2**63 - 1)
    _check_number("check_share", plan.check_share, above=0.0, most=1.0)


def _check_arrivals(plan: OpenLoopPlan) -> None:
    if (plan.arrivals is Arrivals.GAMMA) != (plan.gap_cv is not None):
        raise ValueError(f"gap_cv is {plan.gap_cv}; arrivals '{Arrivals.GAMMA}', and no others, have one")
    if plan.gap_cv is not None:
        _check_number("gap_cv", plan.gap_cv, above=0.0, most=MAX_GAP_CV)
    if (plan.arrivals is Arrivals.TRACE) != (plan.trace is not None):
        raise ValueError(f"trace is {plan.trace}; arrivals '{Arrivals.TRACE}', and no others, have one")
    if plan.shape is not None:
        if plan.trace is not None:
            raise ValueError("shape is given beside a trace; the trace itself says when requests leave")
        if not math.isclose(plan.rate_rps, plan.shape.mean_rps):
            raise ValueError(f"rate_rps is {plan.rate_rps:g}; give the mean of the shape, {plan.shape.mean_rps:g}")


def _check_number(
    name: str, value: float, *, most: float, least: float | None = None, above: float | None = None
) -> None:
    """Written so that NaN fails every rule."""
    if least is not None and not least <= value <= most:
        raise ValueError(f"{name} is {value:g}; give a number from {least:g} to {most:g}")
    if above is not None and not above < value <= most:
        raise ValueError(f"{name} is {value:g}; give a number above {above:g}, at most {most:g}")
