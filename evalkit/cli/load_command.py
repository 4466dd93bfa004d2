"""`evalkit load`: open-loop load on a server that is already there, from this machine or several."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evalkit.cli.boundary import INTERRUPTED, USAGE, boundary, fail

if TYPE_CHECKING:
    from evalkit.cli.load_options import Requests
    from evalkit.cli.load_progress import Show
    from loadtest.plan import OpenLoopPlan

VOID = 3


class Protocol(StrEnum):
    """What the server speaks; --template makes it any other."""

    CLASSIFY = "classify"
    OPEN_INFERENCE = "open-inference"
    CHAT = "chat"


Option = typer.Option


def load(
    url: Annotated[
        str | None, typer.Argument(help="The server's base address, e.g. http://127.0.0.1:8080.", show_default=False)
    ] = None,
    requests: Annotated[
        Path | None, Option("--requests", help="A table of texts to send: CSV, Parquet, JSONL.")
    ] = None,
    rate: Annotated[
        str | None, Option(help="Requests a second: 200; a ramp, 50..200; or equal steps, 50,100,200. 50 if not given.")
    ] = None,
    duration: Annotated[
        str | None, Option(help="How long it counts, e.g. 60s, 5m, 1h30m. 20s, or the whole trace, if not given.")
    ] = None,
    warmup: Annotated[str, Option(help="How long before that does not count.")] = "2s",
    arrivals: Annotated[str, Option(help="poisson, constant, or gamma:CV for bursts, e.g. gamma:3.")] = "poisson",
    trace: Annotated[
        Path | None, Option(help="Replay recorded send times: column time_s, and payload (a row of --requests) if any.")
    ] = None,
    speed: Annotated[float, Option(help="Replay the trace so many times faster.")] = 1.0,
    target: Annotated[Protocol, Option(help="What the server speaks.")] = Protocol.CLASSIFY,
    model: Annotated[str | None, Option(help="The model's name, for open-inference and chat.")] = None,
    template: Annotated[
        Path | None, Option(help="Any other server: a Jinja template of the request's body, with text and the row.")
    ] = None,
    path: Annotated[str | None, Option(help="Path below the address; the protocol's own if not given.")] = None,
    label_pointer: Annotated[
        str | None, Option(help="JSON pointer of the label in an answer, e.g. /predictions/0/label.")
    ] = None,
    header: Annotated[
        list[str] | None, Option("--header", help="'Name: value' of every request; may be repeated.")
    ] = None,
    api_key_env: Annotated[
        str | None, Option(help="Environment variable that holds the server's key (sent as Bearer, never written).")
    ] = None,
    ca_file: Annotated[Path | None, Option(help="Certificates (PEM) to trust instead of the system's.")] = None,
    max_tokens: Annotated[int | None, Option(help="Most tokens of a chat's answer.")] = None,
    text_column: Annotated[str, Option(help="The column of texts.")] = "text",
    expected_column: Annotated[str | None, Option(help="The column of labels that the answers should name.")] = None,
    check_share: Annotated[float, Option(help="Share of the answers that are read and compared.")] = 1.0,
    tag: Annotated[
        list[str] | None, Option("--tag", help="A column to write beside each sample; may be repeated.")
    ] = None,
    timeout: Annotated[str, Option(help="How long a request may take.")] = "10s",
    p99_ms: Annotated[float | None, Option("--p99-ms", help="The latency objective at p99.")] = None,
    out: Annotated[Path, Option("--out", "-o", help="Folder for samples.parquet and summary.json.")] = Path("load"),
    seed: Annotated[int, Option(help="Seed of the schedule.")] = 1,
    workers: Annotated[int, Option(help="Generators: processes here, or machines with --master.")] = 1,
    master: Annotated[
        str | None, Option(help="HOST:PORT to listen at for the workers, which run evalkit load --worker.")
    ] = None,
    worker: Annotated[str | None, Option(help="HOST:PORT of a master: run a part of its load from here.")] = None,
    i_own_this_target: Annotated[
        bool, Option("--i-own-this-target", help="Needed for any address but loopback.")
    ] = False,
    as_json: Annotated[bool, Option("--json", help="Print JSON, and nothing else, on standard output.")] = False,
) -> None:
    """Load a server open loop and report latency from the intended send time.

    Each request leaves when the schedule says so, whether or not earlier ones were answered.

    Exit code: 0 measured, 2 usage error, 3 void (the reasons are printed), 4 the generator broke, 130 interrupted;
    what was measured until then is kept and marked partial.

    Example: [bold]evalkit load http://127.0.0.1:8080 --requests held_out.parquet --rate 200 --duration 60s[/]
    """
    with boundary():
        from evalkit.cli.load_options import load_plan, read_requests, target_plan
        from loadtest.durations import parse_duration
        from loadtest.plan import check_target
        from loadtest.targets.plan import TargetKind

        if worker is not None:
            _work(worker, url, i_own_this_target)
            return
        if url is None or requests is None:
            fail("give an address and --requests, e.g. evalkit load http://127.0.0.1:8080 --requests x.csv", USAGE)
            return
        try:
            check_target(url, i_own_this_target)
            plan = load_plan(
                url=url,
                rate=rate,
                duration_s=None if duration is None else parse_duration(duration),
                warmup_s=parse_duration(warmup),
                arrivals=arrivals,
                trace=trace,
                speed=speed,
                limit_ms=p99_ms,
                timeout_s=parse_duration(timeout),
                seed=seed,
                check_share=check_share,
                target=target_plan(
                    kind=TargetKind(target.value),
                    model=model,
                    template=template,
                    path=path,
                    label_pointer=label_pointer,
                    headers=header or (),
                    api_key_env=api_key_env,
                    ca_file=ca_file,
                    max_tokens=max_tokens,
                ),
            )
            rows = read_requests(requests, text_column, expected_column, tag or ())
            interrupted = _run(plan, rows, out, workers, master)
        except ValueError as error:
            fail(str(error), USAGE)
        _report(plan, out, as_json, interrupted, labels_known=expected_column is not None)


def _run(plan: OpenLoopPlan, rows: Requests, out: Path, workers: int, master: str | None) -> bool:
    """Run the plan here or on other machines; whether it was interrupted with samples to show for it."""
    from evalkit.cli.load_progress import shown
    from loadtest import layout
    from loadtest.run import run_plan

    shared: dict[str, Any] = {"tags": rows.tags, "rows": rows.rows, "workers": workers}
    try:
        with shown() as show:
            if master is not None:
                _run_elsewhere(plan, rows, out, workers, master, show)
                return False
            what = f"{plan.rate_rps:g} requests a second for {plan.duration_s:g} s"
            run_plan(plan, rows.texts, rows.expected, out, on_progress=lambda share: show(share, what), **shared)
    except KeyboardInterrupt:
        if not (out / layout.GENERATOR).exists() or not (out / layout.SAMPLES).exists():
            raise
        return True
    return False


def _run_elsewhere(plan: OpenLoopPlan, rows: Requests, out: Path, workers: int, master: str, show: Show) -> None:
    from loadtest.remote.frames import parse_place
    from loadtest.remote.master import run_remote
    from loadtest.run import run_prepared

    place = parse_place(master)
    show(0.0, f"waiting at {master} for {workers} workers")

    def generate() -> None:
        run_remote(
            plan,
            out,
            workers,
            place,
            on_progress=lambda share: show(share, f"{workers} workers"),
            on_joined=lambda count, host: show(0.0, f"{count} of {workers} workers are here, the last from {host}"),
        )

    run_prepared(plan, rows.texts, rows.expected, out, generate, tags=rows.tags, rows=rows.rows, workers=workers)


def _report(plan: OpenLoopPlan, out: Path, as_json: bool, interrupted: bool, *, labels_known: bool) -> None:
    from rich.console import Console

    from evalkit.cli.load_output import figure_rows, write_summary
    from evalkit.cli.tables import print_figures

    written = write_summary(out, plan, labels_known=labels_known)
    if as_json:
        print(json.dumps(written, indent=2, default=str))
    else:
        print_figures(plan.url, figure_rows(written), Console())
        for reason in written["void"]:
            print(f"VOID: {reason}")
    if interrupted:
        fail(f"interrupted; the samples until then are in {out}, marked partial", INTERRUPTED)
    raise typer.Exit(VOID if written["void"] else 0)


def _work(place: str, url: str | None, owned: bool) -> None:
    from evalkit.cli.load_progress import shown
    from loadtest.remote.frames import parse_place
    from loadtest.remote.worker import run_part

    if url is not None:
        fail(f"{url} is given beside --worker; the master says what is loaded", USAGE)
    with shown() as show:
        loaded = run_part(
            parse_place(place), i_own_this_target=owned, on_progress=lambda share: show(share, f"a part for {place}")
        )
    print(f"a part of the load on {loaded} has run; the master has its samples")
