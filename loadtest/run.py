"""Run a plan in generator processes of their own and wait for its samples."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from loadtest import layout
from loadtest.crew import Progress, run_crew
from loadtest.errors import InputError, LoadTestError
from loadtest.histogram import write_histogram_of_long_run
from loadtest.merging import merge
from loadtest.payloads import write_payloads
from loadtest.plan import OpenLoopPlan, Plan, plan_to_json
from loadtest.samples import tag_columns
from loadtest.schedule import schedule_of, split, write_schedule
from loadtest.targets.choice import target_of

MAX_WORKERS = 64

Tags = Mapping[str, Sequence[Any]]
Rows = Sequence[Mapping[str, Any]]


def run_plan(
    plan: Plan,
    texts: Sequence[str],
    expected_labels: Sequence[str] | None,
    folder: Path,
    *,
    core: int | None = None,
    on_progress: Progress | None = None,
    tags: Tags | None = None,
    rows: Rows | None = None,
    workers: int = 1,
) -> Path:
    """Send the plan's load and return the path of the raw samples.

    Generators are other processes, so that gevent's patches never touch the caller. They are gone when
    this function returns or raises, whatever the reason; what they had measured by then is in the samples,
    and ``generator.json`` says that it is partial. ``on_progress`` is called with the fraction of the
    schedule that has passed, from 0 to 1. ``tags`` (a value a text, by name) are written beside each
    sample; ``rows`` are what a template may use. Of several ``workers`` each gets a core of its own where
    there are more cores than that.

    Raises:
        LoadTestError: when a generator fails, with the end of its log, or does not end in time.
        InputError: when a trace or a template is not what a run can be made of.
        ValueError: when texts and labels do not pair up, or ``core`` is not one this process may use.
    """
    cores = generator_cores(workers, core)

    def generate() -> None:
        run_crew(plan, folder, cores, on_progress or _ignore)

    return run_prepared(plan, texts, expected_labels, folder, generate, tags=tags, rows=rows, workers=workers)


def run_prepared(
    plan: Plan,
    texts: Sequence[str],
    expected_labels: Sequence[str] | None,
    folder: Path,
    generate: Callable[[], None],
    *,
    tags: Tags | None = None,
    rows: Rows | None = None,
    workers: int = 1,
) -> Path:
    """Lay out the parts of ``workers`` generators, let ``generate`` run them, and merge their records."""
    tagged = tag_columns(texts, tags or {})
    prepare(plan, texts, expected_labels, folder, rows=rows, workers=workers)
    try:
        generate()
    except InputError:
        raise
    except LoadTestError as error:
        kept = merge(folder, plan, workers, tagged)
        if not kept:
            (folder / layout.SAMPLES).unlink(missing_ok=True)
            raise
        raise LoadTestError(f"{error}\nits {kept} samples so far are kept in {folder / layout.SAMPLES}") from error
    except BaseException:
        merge(folder, plan, workers, tagged)
        raise
    merge(folder, plan, workers, tagged)
    if not (folder / layout.GENERATOR).exists():
        raise LoadTestError(f"the load generator left no {layout.GENERATOR} in {folder}")
    write_histogram_of_long_run(folder, plan)
    return folder / layout.SAMPLES


def prepare(
    plan: Plan,
    texts: Sequence[str],
    expected_labels: Sequence[str] | None,
    folder: Path,
    *,
    rows: Rows | None = None,
    workers: int = 1,
) -> None:
    """Write the plan, the payloads and each generator's part of the schedule, and remove an earlier run's files."""
    if not 1 <= workers <= MAX_WORKERS:
        raise ValueError(f"workers is {workers}; give a number from 1 to {MAX_WORKERS}")
    if workers > 1 and not isinstance(plan, OpenLoopPlan):
        raise ValueError(f"workers is {workers}; a closed loop has no schedule to split, so give 1")
    folder.mkdir(parents=True, exist_ok=True)
    for name in (layout.SAMPLES, layout.GENERATOR, layout.SUMMARY, layout.HISTOGRAM):
        (folder / name).unlink(missing_ok=True)
    for old in folder.glob("worker-*"):
        shutil.rmtree(old)
    (folder / layout.PLAN).write_text(plan_to_json(plan), encoding="utf-8")
    write_payloads(folder / layout.PAYLOADS, target_of(plan.target), texts, expected_labels, rows)
    for worker in range(workers):
        layout.worker_folder(folder, worker).mkdir()
    if isinstance(plan, OpenLoopPlan):
        for worker, part in enumerate(split(schedule_of(plan, len(texts)), workers, plan.seed)):
            write_schedule(layout.worker_folder(folder, worker) / layout.SCHEDULE, part)


def generator_cores(workers: int, core: int | None = None) -> list[int | None]:
    """The core of each generator; None where there are not more cores than generators.

    Raises:
        ValueError: when ``core`` is not one this process may use, or is named for several.
    """
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if core is not None:
        if workers != 1:
            raise ValueError(f"core is {core} for {workers} workers; several are given their cores by themselves")
        if core not in usable:
            raise ValueError(f"core is {core}; this process may use {usable}")
        return [core]
    if workers == 1 or len(usable) <= workers:
        return [None] * workers
    return list(usable[-workers:])


def _ignore(_: float) -> None:
    pass
