"""A load generator's own process: ``python -m loadtest.generator FOLDER --worker K [--core N] [--stay]``.

Reads ``plan.json`` and ``payloads.jsonl`` in the folder and ``schedule.npz`` in its own part of it; leaves
``record.raw`` there, then ``generator.json``. It says ``ready`` on stdout and begins at the moment of
``time.monotonic()`` that ``go MOMENT`` names on stdin, so that several begin together. Then it writes its
progress, one fraction a line. It ends at once when its stdin ends, so that it never outlives whoever
started it. SIGTERM and SIGINT end the run early and keep what was measured.

With ``--stay`` it runs nothing of FOLDER: it says ``idle`` and waits for ``run FOLDER`` on stdin, again and
again, because importing Locust takes longer than a short run.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import resource
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import gevent
import numpy as np
from gevent.event import Event

from loadtest import layout
from loadtest.clock import RunClock
from loadtest.commands import Parent
from loadtest.crew import REFUSED
from loadtest.errors import InputError
from loadtest.generator_info import CpuMeter, GeneratorInfo, write_generator_info
from loadtest.locust_user import driving_user
from loadtest.payloads import read_payloads
from loadtest.plan import MAX_REQUESTS, OpenLoopPlan, Plan, SaturationPlan, plan_from_json
from loadtest.recorder import Recorder
from loadtest.schedule import Schedule, read_schedule
from loadtest.traffic import Traffic

PROGRESS_EVERY_S = 0.25
MAX_SATURATED_RPS = 20_000.0  # one generator sends no more; the record has room for so many
# Small and often: only failed requests leave cycles, and 50,000 objects of them took 120 ms to collect.
GC_THRESHOLDS = (2_000, 20, 1_000)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m loadtest.generator")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--worker", type=int, required=True, help="which of the generators this is, from 0")
    parser.add_argument("--core", type=int, default=None, help="pin this process to one CPU core")
    parser.add_argument("--stay", action="store_true", help="await folders to run on stdin, one after the other")
    options = parser.parse_args(arguments)
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    logging.disable(logging.WARNING)
    import locust  # noqa: F401  only here: it patches the whole interpreter, before anybody listens

    parent = Parent()
    try:
        if not options.stay:
            generate(options.folder, options.worker, options.core, parent)
        while options.stay and (folder := parent.next_folder()) is not None:
            generate(folder, options.worker, options.core, parent)
    except InputError as error:
        os.write(2, f"{error}\n".encode())
        sys.exit(REFUSED)


def generate(folder: Path, worker: int, core: int | None, parent: Parent) -> None:
    """Run a part of the plan to its end, or to the first SIGTERM or SIGINT, and write what was seen."""
    import locust

    own = layout.worker_folder(folder, worker)
    plan = plan_from_json((folder / layout.PLAN).read_text(encoding="utf-8"))
    schedule = read_schedule(own / layout.SCHEDULE) if isinstance(plan, OpenLoopPlan) else None
    recorder = Recorder(own / layout.RECORD, _capacity(plan, schedule))
    if schedule is not None:
        recorder.plan(schedule)
    traffic = Traffic(plan, read_payloads(folder / layout.PAYLOADS), recorder)
    _allow_many_connections()
    _settle_garbage_collector()
    clock = RunClock(parent.start_of_run())
    started_at = datetime.now(UTC) - timedelta(seconds=clock.now())
    metering = gevent.spawn_later(max(0.0, -clock.now()), CpuMeter, core)
    _run_locust(plan, schedule, traffic, clock, parent.interrupted)
    wall_s, cpu_share, foreign_core_share = metering.get().read()
    info = GeneratorInfo(
        started_at=started_at.isoformat(),
        wall_s=wall_s,
        sent=int(np.count_nonzero(~np.isnan(recorder.columns["sent_s"]))),
        cpu_share=cpu_share,
        core=core,
        foreign_core_share=foreign_core_share,
        locust_version=locust.__version__,
        partial=parent.interrupted.is_set(),
    )
    layout.write_atomically(own / layout.GENERATOR, lambda path: write_generator_info(path, info))


def _run_locust(plan: Plan, schedule: Schedule | None, traffic: Traffic, clock: RunClock, interrupted: Event) -> None:
    """Let Locust's local runner run the users until all are done, or ``interrupted`` is set."""
    from locust.env import Environment

    errors: list[BaseException] = []
    broken = Event()

    def drive() -> None:
        if schedule is None:
            traffic.closed_loop(clock)
        else:
            traffic.open_loop(schedule, clock)

    def on_user_error(*, exception: BaseException, **_: Any) -> None:
        errors.append(exception)
        broken.set()

    environment: Any = Environment(user_classes=[driving_user(drive)], host=plan.url)
    environment.events.user_error.add_listener(on_user_error)  # Locust would try the task again, for ever
    runner = environment.create_local_runner()
    users = plan.clients if isinstance(plan, SaturationPlan) else 1
    runner.start(users, spawn_rate=users)
    progress = gevent.spawn(_report_progress, clock, plan.warmup_s + plan.duration_s)
    runner.spawning_greenlet.join()
    done = gevent.spawn(runner.user_greenlets.join)
    gevent.wait([done, interrupted, broken], count=1)
    progress.kill()
    traffic.stop()
    runner.quit()
    if errors:
        raise errors[0]


def _capacity(plan: Plan, schedule: Schedule | None) -> int:
    if schedule is not None:
        return len(schedule)
    return min(MAX_REQUESTS, int(MAX_SATURATED_RPS * (plan.warmup_s + plan.duration_s)))


def _report_progress(clock: RunClock, total_s: float) -> None:
    while True:
        fraction = min(1.0, max(0.0, clock.now() / total_s))
        os.write(1, f"{fraction:.4f}\n".encode())
        gevent.sleep(PROGRESS_EVERY_S)


def _settle_garbage_collector() -> None:
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def _allow_many_connections() -> None:
    """Raise the limit on open files to what is allowed."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    main()
