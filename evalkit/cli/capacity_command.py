"""`evalkit capacity`: the highest rate at which a server keeps its latency objective."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalkit.cli.boundary import USAGE, boundary, fail
from evalkit.cli.load_command import Protocol

if TYPE_CHECKING:
    from loadtest.capacity.plan import SearchPlan
    from loadtest.capacity.result import CapacityResult
    from loadtest.capacity.trial import Trial
    from loadtest.plan import OpenLoopPlan

INCONCLUSIVE = 3

Option = typer.Option


def capacity(
    url: Annotated[str, typer.Argument(help="The server's base address, e.g. http://127.0.0.1:8080.")],
    requests: Annotated[Path, Option("--requests", help="A table of texts to send: CSV, Parquet, JSONL.")],
    p99_ms: Annotated[float, Option("--p99-ms", help="The objective: 99 % of all requests within so many ms.")],
    confidence: Annotated[float, Option(help="One-sided confidence of the certificate and of each bound.")] = 0.95,
    max_minutes: Annotated[float, Option(help="No trial begins that would end later.")] = 5.0,
    precision: Annotated[float, Option(help="Done when the bounds are this share away from the capacity.")] = 0.05,
    start: Annotated[float, Option(help="Requests a second to begin with.")] = 50.0,
    max_rate: Annotated[float, Option(help="Requests a second never to exceed.")] = 20_000.0,
    target: Annotated[Protocol, Option(help="What the server speaks.")] = Protocol.CLASSIFY,
    model: Annotated[str | None, Option(help="The model's name, for open-inference and chat.")] = None,
    path: Annotated[str | None, Option(help="Path below the address; the protocol's own if not given.")] = None,
    header: Annotated[
        list[str] | None, Option("--header", help="'Name: value' of every request; may be repeated.")
    ] = None,
    api_key_env: Annotated[str | None, Option(help="Environment variable that holds the server's key.")] = None,
    text_column: Annotated[str, Option(help="The column of texts.")] = "text",
    expected_column: Annotated[str | None, Option(help="The column of labels that the answers should name.")] = None,
    timeout: Annotated[str, Option(help="How long a request may take.")] = "10s",
    out: Annotated[Path, Option("--out", "-o", help="Folder for capacity.json and the trials.")] = Path("capacity"),
    seed: Annotated[int, Option(help="Seed of the schedules.")] = 1,
    i_own_this_target: Annotated[
        bool, Option("--i-own-this-target", help="Needed for any address but loopback.")
    ] = False,
    as_json: Annotated[bool, Option("--json", help="Print JSON, and nothing else, on standard output.")] = False,
) -> None:
    """Find the highest rate of Poisson arrivals at which p99 keeps its objective, with an interval.

    Doubles the rate until the objective is broken, bisects, then repeats trials around the best guess. Refused and
    failed requests count as too slow. Each trial is listed on standard error as soon as it is done.

    Exit code: 0 found, 2 usage error, 3 not found: void, never good, or the generator is the limit; 4 the generator
    broke, 130 interrupted (trials.csv keeps what was measured).

    Example: [bold]evalkit capacity http://127.0.0.1:8080 --requests held_out.parquet --p99-ms 25[/]
    """
    with boundary():
        from evalkit.cli.load_options import read_requests, target_plan
        from loadtest.capacity.plan import SearchPlan
        from loadtest.durations import parse_duration
        from loadtest.plan import OpenLoopPlan, check_target
        from loadtest.targets.plan import TargetKind

        try:
            check_target(url, i_own_this_target)
            asked = SearchPlan(
                limit_ms=p99_ms, confidence=confidence, level=2 * confidence - 1, start_rps=start, max_rps=max_rate,
                max_minutes=max_minutes, precision=precision, seed=seed,
            )  # fmt: skip
            plan = OpenLoopPlan(
                url=url,
                rate_rps=start,
                duration_s=asked.short_s(start),
                timeout_s=parse_duration(timeout),
                limit_ms=p99_ms,
                target=target_plan(
                    kind=TargetKind(target.value), model=model, template=None, path=path, label_pointer=None,
                    headers=header or (), api_key_env=api_key_env, ca_file=None, max_tokens=None,
                ),
            )  # fmt: skip
            rows = read_requests(requests, text_column, expected_column, ())
        except ValueError as error:
            fail(str(error), USAGE)
        result = _search(asked, plan, rows.texts, rows.expected, out)
        _report(result, out, as_json)


def _search(
    asked: SearchPlan, plan: OpenLoopPlan, texts: list[str], expected: list[str] | None, out: Path
) -> CapacityResult:
    from loadtest.capacity.measuring import measuring
    from loadtest.capacity.record import RESULT, SAMPLES, keeping, write_result
    from loadtest.capacity.search import search

    result = search(asked, measuring(plan, texts, expected, out / SAMPLES), keeping(out, _say))
    write_result(out / RESULT, result)
    return result


def _say(trial: Trial) -> None:
    counted = trial.measured
    p99 = "" if counted.p99_ms is None else f", p99 {counted.p99_ms:.1f} ms"
    void = f": {' '.join(counted.void_reasons)}" if counted.void_reasons else ""
    print(
        f"{trial.asked.number:>3} {trial.asked.step:<10} {trial.rate_rps:>8.1f} requests/s for "
        f"{trial.asked.seconds:>4.1f} s: {trial.side:<7} {counted.over_limit} of {counted.requests} over{p99}{void}",
        file=sys.stderr,
        flush=True,
    )


def _report(result: CapacityResult, out: Path, as_json: bool) -> None:
    from rich.console import Console

    from evalkit.cli.tables import print_figures
    from evalkit.stats.interval import Interval
    from loadtest.capacity.record import RESULT

    written = out / RESULT
    if as_json:
        print(written.read_text(encoding="utf-8"), end="")
    else:
        print_figures(f"p99 ≤ {result.plan.limit_ms:g} ms", _rows(result, written), Console())
    raise typer.Exit(0 if isinstance(result.rate, Interval) else INCONCLUSIVE)


def _rows(result: CapacityResult, written: Path) -> list[tuple[str, str]]:
    from evalkit.stats.interval import Interval

    rate, cliff = result.rate, result.cliff
    rows = [
        (
            "capacity",
            f"{rate.point:.1f} requests/s ({rate.lower:.1f} to {rate.upper:.1f} at {rate.level:.0%})"
            if isinstance(rate, Interval)
            else f"not found: {rate.reason}",
        ),
        (
            "certified",
            "no rate"
            if result.certified_rps is None
            else f"p99 ≤ {result.plan.limit_ms:g} ms at {result.certified_rps:.1f} requests/s "
            f"({result.plan.confidence:.0%} confidence)",
        ),
    ]
    if isinstance(rate, Interval) or rate.reason != result.explanation:
        rows.append(("ended because", result.explanation))
    if cliff is not None:
        below = f"{cliff.p99_below_ms:.1f} ms at {cliff.below_rps:.1f} requests/s"
        rows.append(("cliff", f"p99 {below}, {cliff.p99_above_ms:.1f} ms at {cliff.above_rps:.1f}"))
    trials = f"{len(result.trials)} in {result.seconds:.0f} s"
    return [*rows, ("trials", trials), ("written", str(written))]
