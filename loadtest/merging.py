"""From the generators' records to the one table of samples of a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from loadtest import layout
from loadtest.generator_info import GeneratorInfo, read_generator_info, write_generator_info
from loadtest.plan import Plan
from loadtest.recorder import read_record
from loadtest.samples import write_records


def merge(folder: Path, plan: Plan, workers: int, tags: pd.DataFrame | None) -> int:
    """Write ``samples.parquet`` from whatever was recorded, and ``generator.json`` if every generator left one.

    Every request stands in exactly one record, so the table is the whole run, in the schedule's order.
    Returns the number of samples.
    """
    folders = [layout.worker_folder(folder, worker) for worker in range(workers)]
    records = [read_record(each / layout.RECORD) for each in folders if (each / layout.RECORD).exists()]
    if not records:
        return 0
    rows = 0

    def write(path: Path) -> None:
        nonlocal rows
        rows = write_records(path, records, plan.warmup_s, tags)

    layout.write_atomically(folder / layout.SAMPLES, write)
    found = [each / layout.GENERATOR for each in folders]
    if all(path.exists() for path in found):
        info = merged_info([read_generator_info(path) for path in found])
        layout.write_atomically(folder / layout.GENERATOR, lambda path: write_generator_info(path, info))
    for each in folders:
        (each / layout.RECORD).unlink(missing_ok=True)
        (each / layout.SCHEDULE).unlink(missing_ok=True)
    return rows


def merged_info(infos: Sequence[GeneratorInfo]) -> GeneratorInfo:
    """What all generators were like together: of a share, the worst one of them."""
    foreign = [info.foreign_core_share for info in infos if info.foreign_core_share is not None]
    return dataclasses.replace(
        infos[0],
        wall_s=max(info.wall_s for info in infos),
        sent=sum(info.sent for info in infos),
        cpu_share=max(info.cpu_share for info in infos),
        core=infos[0].core if len(infos) == 1 else None,
        foreign_core_share=max(foreign, default=None),
        partial=any(info.partial for info in infos),
    )
