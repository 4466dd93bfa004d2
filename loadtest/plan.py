"""What load to send: one frozen plan an experiment, checked when made, kept as JSON beside its samples."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from loadtest.errors import TargetRefusedError

MAX_RATE_RPS = 20_000.0  # one generator process cannot keep time beyond this
MIN_DURATION_S = 1.0  # below this a single stall is the whole experiment
MAX_DURATION_S = 24 * 3600.0
MAX_TIMEOUT_S = 600.0
MAX_REQUESTS = 5_000_000  # the raw samples of one run are held in memory
MIN_EXPECTED_REQUESTS = 10  # a Poisson schedule of fewer may well be empty
MAX_CLIENTS = 1_000


class Arrivals(StrEnum):
    """How intended send times follow each other: independent users, or a metronome."""

    POISSON = "poisson"
    CONSTANT = "constant"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLoopPlan:
    """Requests leave at scheduled times, whether or not earlier ones were answered.

    ``url`` is the server's base, e.g. ``http://127.0.0.1:8000``. The run lasts ``warmup_s + duration_s``;
    only requests intended after the warm-up count. ``limit_ms`` is the service level objective on
    latency, if there is one. It must lie below the time-out, because a failed request is given the
    time-out as its latency and must never look good.

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

    def __post_init__(self) -> None:
        _check_shared(self)
        _check_number("rate_rps", self.rate_rps, above=0.0, most=MAX_RATE_RPS)
        expected = self.rate_rps * self.duration_s
        if expected < MIN_EXPECTED_REQUESTS:
            raise ValueError(
                f"duration_s is {self.duration_s:g}: at {self.rate_rps:g} rps that is about {expected:g} "
                f"requests; plan for at least {MIN_EXPECTED_REQUESTS}"
            )
        total = self.rate_rps * (self.warmup_s + self.duration_s)
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
    if "arrivals" in fields:
        fields["arrivals"] = Arrivals(fields["arrivals"])
    try:
        return plan_type(**fields)
    except TypeError as error:
        raise ValueError(f"not a plan of kind {kind!r}: {error}") from error


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
            "Say i_own_this_target if it is yours to load"
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


def _check_number(
    name: str, value: float, *, most: float, least: float | None = None, above: float | None = None
) -> None:
    """Written so that NaN fails every rule."""
    if least is not None and not least <= value <= most:
        raise ValueError(f"{name} is {value:g}; give a number from {least:g} to {most:g}")
    if above is not None and not above < value <= most:
        raise ValueError(f"{name} is {value:g}; give a number above {above:g}, at most {most:g}")
