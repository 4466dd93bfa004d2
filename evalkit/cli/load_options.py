"""What the options of `evalkit load` ask for: the plan, the requests and where they are sent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from evalkit.data.reading import read_table, require_columns
from evalkit.errors import DataError
from loadtest.plan import Arrivals, OpenLoopPlan
from loadtest.rate_shape import parse_rate
from loadtest.targets.plan import TargetKind, TargetPlan
from loadtest.trace import read_trace, trace_plan

NAME = "--requests"
SHORTEST_TRACE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """The rows to send: a text each, what it should come back as, and what a template or a tag may use."""

    texts: list[str]
    expected: list[str] | None
    tags: dict[str, list[Any]]
    rows: list[dict[str, Any]]


def read_requests(path: Path, text: str, expected: str | None, tags: Sequence[str]) -> Requests:
    """Rows without a text are left out. Raises DataError for a missing column or a table without texts."""
    table = read_table(path, NAME)
    require_columns(table, [text, *([expected] if expected else []), *tags], NAME)
    table = table[table[text].notna()]
    if table.empty:
        raise DataError(f"{NAME} {path} has no texts in column '{text}'")
    if expected is not None and table[expected].isna().any():
        row = int(table[expected].isna().to_numpy().argmax())
        raise DataError(f"{NAME} {path} has no '{expected}' in row {row}; give the label of every text")
    return Requests(
        texts=table[text].astype(str).tolist(),
        expected=table[expected].astype(str).tolist() if expected is not None else None,
        tags={name: table[name].tolist() for name in tags},
        rows=_plain_rows(table),
    )


def target_plan(
    *,
    kind: TargetKind,
    model: str | None,
    template: Path | None,
    path: str | None,
    label_pointer: str | None,
    headers: Sequence[str],
    api_key_env: str | None,
    ca_file: Path | None,
    max_tokens: int | None,
) -> TargetPlan:
    """Raises ValueError or DataError for what cannot be a target."""
    if template is not None and not template.is_file():
        raise DataError(f"--template {template} does not exist; give a file with the request's body")
    return TargetPlan(
        kind=TargetKind.TEMPLATE if template is not None else kind,
        path=path,
        model=model,
        template=template.read_text(encoding="utf-8") if template is not None else None,
        label_pointer=label_pointer,
        max_tokens=max_tokens,
        headers=tuple(_header(each) for each in headers),
        api_key_env=api_key_env,
        ca_file=str(ca_file.resolve()) if ca_file is not None else None,
    )


def load_plan(
    *,
    url: str,
    rate: str | None,
    duration_s: float | None,
    warmup_s: float,
    arrivals: str,
    trace: Path | None,
    speed: float,
    limit_ms: float | None,
    timeout_s: float,
    seed: int,
    check_share: float,
    target: TargetPlan,
) -> OpenLoopPlan:
    """The plan of a run. A trace brings its own rate, and its length unless a shorter one is asked for.

    Raises ValueError or EvalkitError for a plan that cannot be run.
    """
    shared: dict[str, Any] = {
        "url": url, "warmup_s": warmup_s, "seed": seed, "timeout_s": timeout_s, "limit_ms": limit_ms,
        "check_share": check_share, "target": target,
    }  # fmt: skip
    if trace is not None:
        if rate is not None or arrivals != Arrivals.POISSON:
            raise ValueError("--trace is given beside --rate or --arrivals; the trace itself says when requests leave")
        return _replay(trace, speed, duration_s, shared)
    mean, shape = parse_rate(rate or "50")
    kind, cv = _arrivals(arrivals)
    return OpenLoopPlan(rate_rps=mean, shape=shape, duration_s=duration_s or 20.0, arrivals=kind, gap_cv=cv, **shared)


def _replay(path: Path, speed: float, duration_s: float | None, shared: dict[str, Any]) -> OpenLoopPlan:
    plan = trace_plan(path, speed)
    times = read_trace(plan).times_s
    end = times[-1] + max(SHORTEST_TRACE_S, float(times[-1]) / len(times))
    length = duration_s or max(SHORTEST_TRACE_S, float(end) - shared["warmup_s"])
    sent = times[times < shared["warmup_s"] + length]
    measured = int((sent >= shared["warmup_s"]).sum())
    if not measured:
        raise ValueError(
            f"trace {path} ends after {times[-1]:g} s, within the warm-up of {shared['warmup_s']:g} s; shorten --warmup"
        )
    return OpenLoopPlan(rate_rps=measured / length, duration_s=length, arrivals=Arrivals.TRACE, trace=plan, **shared)


def _arrivals(text: str) -> tuple[Arrivals, float | None]:
    """``gamma:3`` is gamma-distributed gaps of that coefficient of variation."""
    kind, colon, cv = text.partition(":")
    if kind in (Arrivals.POISSON, Arrivals.CONSTANT) and not colon:
        return Arrivals(kind), None
    if kind == Arrivals.GAMMA and re.fullmatch(r"\d+(\.\d+)?", cv):
        return Arrivals.GAMMA, float(cv)
    raise ValueError(f"--arrivals is {text!r}; give poisson, constant or gamma:CV, e.g. gamma:3")


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise ValueError(f"--header is {text!r}; give 'Name: value'")
    return name.strip(), value.strip()


def _plain_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Missing values as None, and numbers as Python's own, so that a template prints them as people write them."""
    plain = table.astype(object).where(table.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]
