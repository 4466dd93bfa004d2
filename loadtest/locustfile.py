"""Open-loop load under Locust's own command, web UI, CSV files and distribution.

    locust -f loadtest/locustfile.py --headless --host http://127.0.0.1:8080 \\
        --requests held_out.parquet --rate 200 --load-duration 60s --out load

One Locust user sends the whole schedule. With Locust's ``--master`` and ``--worker`` give as many users
as workers, and ``--expect-workers``: each worker's user sends its part of the same schedule, and leaves its
samples in ``OUT/worker-K``. Locust's own figures are rounded; ``samples.parquet`` holds the raw ones.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import gevent
from locust import User, events, task
from locust.exception import StopUser
from locust.runners import LocalRunner, WorkerRunner
from locust.stats import CSV_STATS_INTERVAL_SEC

from evalkit.errors import EvalkitError
from loadtest import layout
from loadtest.clock import RunClock
from loadtest.durations import parse_duration
from loadtest.errors import InputError
from loadtest.locust_figures import LocustFigures
from loadtest.payloads import read_payloads
from loadtest.plan import Arrivals, OpenLoopPlan, check_target
from loadtest.rate_shape import parse_rate
from loadtest.recorder import Recorder, read_record
from loadtest.run import prepare
from loadtest.samples import tag_columns, write_records
from loadtest.schedule import read_schedule
from loadtest.tables import read_columns
from loadtest.traffic import Traffic

LEAD_S = 0.3
USAGE = 2


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator, unused-ignore]
def _add_options(parser: Any) -> None:
    group = parser.add_argument_group("open loop", "when requests leave, and what they carry")
    group.add_argument("--requests", help="table of texts: CSV, Parquet or JSONL")
    group.add_argument("--text-column", default="text", help="the column of texts")
    group.add_argument("--rate", default="50", help="requests a second: 200, a ramp 50..200, or steps 50,100")
    group.add_argument("--load-duration", default="20s", help="how long it counts, e.g. 60s")
    group.add_argument("--warmup", default="2s", help="how long before that does not count")
    group.add_argument("--load-seed", type=int, default=1, help="seed of the schedule")
    group.add_argument("--out", default="load", help="folder for the raw samples")
    group.add_argument("--i-own-this-target", action="store_true", help="needed for any address but loopback")


class OpenLoopUser(User):  # type: ignore[misc, unused-ignore]
    """Sends its part of the schedule, once."""

    @task
    def send_the_schedule(self) -> None:
        options, runner = self.environment.parsed_options, self.environment.runner
        distributed = isinstance(runner, WorkerRunner)
        part, parts = (runner.worker_index, options.expect_workers) if distributed else (0, 1)
        try:
            _send_part(self.environment, self.host, Path(options.out), part, parts)
        except (EvalkitError, ValueError) as error:  # Locust would try the task again, for ever
            logging.getLogger(__name__).error("%s", error)
            self.environment.process_exit_code = error.exit_code if isinstance(error, EvalkitError) else USAGE
        if isinstance(runner, LocalRunner) and options.headless:
            gevent.spawn_later(CSV_STATS_INTERVAL_SEC + 1, runner.quit)  # its last figures are written by then
        raise StopUser


def _send_part(environment: Any, host: str | None, out: Path, part: int, parts: int) -> None:
    options = environment.parsed_options
    if not options.requests or not host:
        raise InputError("--requests or --host is missing; give a table of texts and the server's base address")
    check_target(host, options.i_own_this_target)
    plan = _plan(options, host)
    table = read_columns(Path(options.requests), "--requests")
    if options.text_column not in table.columns:
        raise InputError(f"--requests has no column '{options.text_column}'; it has {', '.join(table.columns)}")
    texts = table[options.text_column].dropna().astype(str).tolist()
    # workers on one machine may share a folder: each lays out the whole run in a folder of its own
    own = out if parts == 1 else out / f"part-{part}-of-{parts}"
    prepare(plan, texts, None, own, workers=parts)
    schedule = read_schedule(layout.worker_folder(own, part) / layout.SCHEDULE)
    record = layout.worker_folder(own, part) / layout.RECORD
    recorder = Recorder(record, len(schedule))
    recorder.plan(schedule)
    figures = LocustFigures(environment, recorder, plan.target.path or "/v1/classify")
    traffic = Traffic(plan, read_payloads(own / layout.PAYLOADS), recorder, figures.on_done)
    watching = gevent.spawn(figures.watch)
    try:
        traffic.open_loop(schedule, RunClock(time.monotonic() + LEAD_S))
    finally:
        traffic.stop()
        watching.kill()
        figures.flush()
        tags = tag_columns(texts, {})
        layout.write_atomically(
            own / layout.SAMPLES, lambda path: write_records(path, [read_record(record)], plan.warmup_s, tags)
        )


def _plan(options: Any, host: str) -> OpenLoopPlan:
    rate, shape = parse_rate(options.rate)
    return OpenLoopPlan(
        url=host,
        rate_rps=rate,
        shape=shape,
        duration_s=parse_duration(options.load_duration),
        warmup_s=parse_duration(options.warmup),
        seed=options.load_seed,
        arrivals=Arrivals.POISSON,
    )
