"""What the generator was like while it ran: the evidence on whether its timings can be believed."""

from __future__ import annotations

import dataclasses
import json
import time
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorInfo:
    """The content of ``generator.json``.

    ``cpu_share`` is this process's CPU seconds per wall second, where 1.0 is one full core.
    ``foreign_core_share`` is what everything else took of the pinned core, None when unpinned.
    ``partial`` says that the run was interrupted before its end.
    """

    started_at: str
    wall_s: float
    sent: int
    cpu_share: float
    core: int | None
    foreign_core_share: float | None
    locust_version: str
    partial: bool


class CpuMeter:
    """CPU use of this process, and of the rest on its pinned core, since the meter was made."""

    def __init__(self, core: int | None) -> None:
        self._core = core
        self._wall_s = time.perf_counter()
        self._own_s = time.process_time()
        self._core_s = _busy_core_s(core)

    def read(self) -> tuple[float, float, float | None]:
        """Wall seconds passed, own CPU share, and the foreign share of the core (None when unpinned)."""
        wall_s = time.perf_counter() - self._wall_s
        own_s = time.process_time() - self._own_s
        core_s = _busy_core_s(self._core)
        if core_s is None or self._core_s is None:
            return wall_s, own_s / wall_s, None
        return wall_s, own_s / wall_s, max(0.0, core_s - self._core_s - own_s) / wall_s


def write_generator_info(path: Path, info: GeneratorInfo) -> None:
    path.write_text(json.dumps(dataclasses.asdict(info), indent=2), encoding="utf-8")


def read_generator_info(path: Path) -> GeneratorInfo:
    return GeneratorInfo(**json.loads(path.read_text(encoding="utf-8")))


def _busy_core_s(core: int | None) -> float | None:
    if core is None:
        return None
    times = psutil.cpu_times(percpu=True)[core]
    # guest time is already inside user time; not every system counts interrupts
    return float(times.user + times.nice + times.system + getattr(times, "irq", 0.0) + getattr(times, "softirq", 0.0))
