"""The load generator's own process: ``python -m loadtest.generator FOLDER [--core N]``.

Reads ``plan.json`` and ``payloads.jsonl``; leaves ``samples.parquet``, then ``generator.json``. It
writes its progress to stdout, one fraction a line, and ends at once when its stdin ends, so that it
never outlives whoever started it. SIGTERM and SIGINT end the run early and keep what was measured.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import resource
import signal
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event
from gevent.socket import wait_read

from loadtest import layout
from loadtest.clock import RunClock
from loadtest.generator_info import CpuMeter, GeneratorInfo, write_generator_info
from loadtest.payloads import read_payloads
from loadtest.plan import Plan, plan_from_json
from loadtest.samples import write_samples
from loadtest.traffic import Drive, Traffic

LEAD_S = 0.3  # Locust's users are up well before the first send
PROGRESS_EVERY_S = 0.25
ORPHANED = 3  # exit status when stdin ended
# Small and often: only failed requests leave cycles, and 50,000 objects of them took 120 ms to collect.
GC_THRESHOLDS = (2_000, 20, 1_000)
RESERVED_FILES = 64  # file descriptors that are not connections


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m loadtest.generator")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--core", type=int, default=None, help="pin this process to one CPU core")
    options = parser.parse_args(arguments)
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    # libev's epoll rounds timers up to whole milliseconds; its select keeps microseconds.
    os.environ["GEVENT_BACKEND"] = "select"
    logging.disable(logging.WARNING)
    plan = plan_from_json((options.folder / layout.PLAN).read_text(encoding="utf-8"))
    generate(plan, options.folder, options.core)


def generate(plan: Plan, folder: Path, core: int | None) -> None:
    """Run the plan to its end, or to the first SIGTERM or SIGINT, and write what was seen."""
    import locust  # only here: importing it patches the interpreter

    connections = _most_connections()
    payloads = read_payloads(folder / layout.PAYLOADS)
    interrupted = Event()
    _listen_to_the_parent(interrupted)
    _settle_garbage_collector()
    clock = RunClock(LEAD_S)
    started_at = datetime.now(UTC) + timedelta(seconds=LEAD_S)
    metering = gevent.spawn_later(LEAD_S, CpuMeter, core)
    traffic = Traffic(plan, payloads, clock)
    _run_locust(plan, traffic, connections, clock, interrupted)
    wall_s, cpu_share, foreign_core_share = metering.get().read()
    info = GeneratorInfo(
        started_at=started_at.isoformat(),
        wall_s=wall_s,
        sent=len(traffic.samples),
        cpu_share=cpu_share,
        core=core,
        foreign_core_share=foreign_core_share,
        locust_version=locust.__version__,
        partial=interrupted.is_set(),
    )
    _write(folder, traffic, plan, info)


def _run_locust(plan: Plan, traffic: Traffic, connections: int, clock: RunClock, interrupted: Event) -> None:
    """Let Locust's local runner run the users until all are done, or ``interrupted`` is set."""
    from locust.env import Environment

    errors: list[BaseException] = []
    broken = Event()

    def on_user_error(*, exception: BaseException, **_: Any) -> None:
        errors.append(exception)
        broken.set()

    user_class = _user_class(plan, traffic.drive, connections // traffic.users)
    environment: Any = Environment(user_classes=[user_class], host=plan.url.rstrip("/"))
    environment.events.request.add_listener(traffic.on_request)  # before the runner adds its statistics
    environment.events.user_error.add_listener(on_user_error)  # Locust would try the task again, for ever
    runner = environment.create_local_runner()
    runner.start(traffic.users, spawn_rate=traffic.users)
    progress = gevent.spawn(_report_progress, clock, plan.warmup_s + plan.duration_s)
    runner.spawning_greenlet.join()
    done = gevent.spawn(runner.user_greenlets.join)
    gevent.wait([done, interrupted, broken], count=1)
    progress.kill()
    runner.quit()
    traffic.stop()
    if errors:
        raise errors[0]


def _user_class(plan: Plan, drive: Drive, connections: int) -> Any:
    from locust import FastHttpUser, task
    from locust.exception import StopUser

    class Client(FastHttpUser):  # type: ignore[misc, unused-ignore]
        network_timeout = plan.timeout_s
        connection_timeout = plan.timeout_s
        concurrency = connections
        insecure = False  # check certificates, as users' clients do
        max_redirects = 0  # a redirect must not carry load to another machine

        @task
        def run_the_plan(self) -> None:
            drive(self.client)
            raise StopUser

    return Client


def _listen_to_the_parent(interrupted: Event) -> None:
    gevent.signal_handler(signal.SIGTERM, interrupted.set)
    gevent.signal_handler(signal.SIGINT, interrupted.set)
    gevent.spawn(_die_when_stdin_ends)


def _die_when_stdin_ends() -> None:
    while True:
        wait_read(0)
        if not os.read(0, 1):
            os._exit(ORPHANED)


def _report_progress(clock: RunClock, total_s: float) -> None:
    while True:
        fraction = min(1.0, max(0.0, clock.now() / total_s))
        os.write(1, f"{fraction:.4f}\n".encode())
        gevent.sleep(PROGRESS_EVERY_S)


def _settle_garbage_collector() -> None:
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def _most_connections() -> int:
    """Raise the limit on open files to what is allowed, and leave some for the rest."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard - RESERVED_FILES


def _write(folder: Path, traffic: Traffic, plan: Plan, info: GeneratorInfo) -> None:
    layout.write_atomically(folder / layout.SAMPLES, lambda path: write_samples(path, traffic.samples, plan.warmup_s))
    layout.write_atomically(folder / layout.GENERATOR, lambda path: write_generator_info(path, info))


if __name__ == "__main__":
    main()
