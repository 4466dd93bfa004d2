"""What `evalkit load` says at the end: a table for people, summary.json for programs."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pandas as pd

from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.means import mean_interval
from evalkit.stats.serial_quantiles import serial_quantile
from loadtest import layout
from loadtest.analysis import analyse
from loadtest.generator_info import read_generator_info
from loadtest.plan import OpenLoopPlan
from loadtest.samples import read_samples
from loadtest.validity import ServedSide, void_reasons

LEVEL = 0.95


def write_summary(folder: Path, plan: OpenLoopPlan, *, labels_known: bool) -> dict[str, Any]:
    """Summarise what the run left behind, write it as summary.json and return it."""
    samples = read_samples(folder / layout.SAMPLES)
    info = read_generator_info(folder / layout.GENERATOR)
    analysis = analyse(samples, plan, LEVEL)
    served = ServedSide(check_share=plan.check_share if labels_known else None)
    void = void_reasons(analysis.summary, info, plan.limit_ms, served)
    measured = samples[~samples["warmup"]]
    figures = _flat(
        {field.name: getattr(analysis.summary, field.name) for field in dataclasses.fields(analysis.summary)}
    )
    more = {
        field.name: getattr(analysis, field.name) for field in dataclasses.fields(analysis) if field.name != "summary"
    }
    written = {
        "partial": info.partial,
        "void": list(void),
        "figures": {name: _json(value) for name, value in {**figures, **_streamed(measured)}.items()},
        "failures": _failures(measured),
        **{name: _json(value) for name, value in more.items()},
        "plan": dataclasses.asdict(plan),
        "generator": dataclasses.asdict(info),
        "samples": str(folder / layout.SAMPLES),
    }
    text = json.dumps(written, indent=2, default=str)
    layout.write_atomically(folder / layout.SUMMARY, lambda path: path.write_text(text + "\n", encoding="utf-8"))
    return written


def figure_rows(written: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and values of the table on the screen."""
    rows = [(name, _shown(value)) for name, value in written["figures"].items() if not isinstance(value, list)]
    rows += [(f"failed: {name}", str(count)) for name, count in written["failures"].items()]
    if written["certificate"] is not None:
        certificate = written["certificate"]
        more = certificate["requests_needed"]
        claim = f"p99 ≤ {certificate['limit_ms']:g} ms at {certificate['confidence']:.1%}"
        rows.append((claim, f"{certificate['outcome']}" + (f"; {more} requests would decide it" if more else "")))
    return [*rows, ("samples", written["samples"])]


def _flat(figures: dict[str, Any]) -> dict[str, Any]:
    """Counts that stand in a value of their own, beside the rest."""
    found: dict[str, Any] = {}
    for name, value in figures.items():
        if dataclasses.is_dataclass(value) and not isinstance(value, Interval | NotEstimable | type):
            found |= {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        else:
            found[name] = value
    return found


def _streamed(measured: pd.DataFrame) -> dict[str, Any]:
    """Time to the first token from the intended send, and tokens a second of an answer, where text was streamed."""
    streamed = measured[measured["ok"] & measured["first_token_ms"].notna()]
    if streamed.empty:
        return {}
    spent_s = (streamed["latency_ms"] - streamed["first_token_ms"]) / 1000
    several = (streamed["tokens"] > 1) & (spent_s > 0)
    rates = (streamed["tokens"][several] - 1) / spent_s[several]
    return {
        "first_token_p50_ms": serial_quantile(streamed["first_token_ms"], 0.50, LEVEL),
        "first_token_p99_ms": serial_quantile(streamed["first_token_ms"], 0.99, LEVEL),
        "tokens": int(streamed["tokens"].sum()),
        "tokens_per_second_of_an_answer": mean_interval(rates, LEVEL)
        if len(rates) > 1
        else NotEstimable(reason="fewer than two answers of several tokens", n=len(rates), n_needed=2),
    }


def _failures(measured: pd.DataFrame) -> dict[str, int]:
    counts = measured.loc[~measured["ok"], "failure"].value_counts()
    return {str(name): int(count) for name, count in counts.items() if count}


def _json(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_json(each) for each in value]
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value


def _shown(value: Any) -> str:
    match value:
        case {"point": point, "lower": lower, "upper": upper, "level": level}:
            return f"{point:.3f} ({lower:.3f} to {upper:.3f} at {level:.0%})"
        case {"reason": reason}:
            return f"not estimable: {reason}"
        case float():
            return f"{value:.4g}"
        case None:
            return "unknown"
        case _:
            return str(value)
