"""What went on beside a run: who else used the server's cores, and whether the clock was set.

A thread of the process that starts the generators looks once a second. It runs on the monotonic clock, and costs
about a millisecond a look.
"""

from __future__ import annotations

import dataclasses
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import psutil

from loadtest.layout import write_atomically

FILE = "watch.json"
EVERY_S = 1.0
SHORTEST_S = 0.5  # a shorter last look would be told by the 10 ms ticks of the kernel's counters

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The content of ``watch.json``. Shares are CPU seconds ÷ (wall seconds × the server's cores).

    ``server_share`` is what the server and its children used. ``foreign_share`` is what everybody else used of these
    cores, time that the hypervisor gave to other machines included; ``worst_foreign_share`` is the worst second of
    it. Where the generator has no core of its own (``separated`` is false), its use and that of the process which
    started it are not foreign. ``clock_step_s`` is by how much wall clock and monotonic clock moved apart. ``unknown``
    says why there are no shares, where there are none.
    """

    wall_s: float
    server_pid: int | None
    server_cores: tuple[int, ...]
    generator_core: int | None
    separated: bool
    server_share: float | None
    foreign_share: float | None
    worst_foreign_share: float | None
    clock_step_s: float
    unknown: str | None


@dataclass(frozen=True, slots=True)
class _Look:
    at_s: float
    busy_s: float
    server_s: float
    own_s: float


@dataclass(slots=True)
class Watch:
    """Where what was seen is found once the ``with`` block is left."""

    result: Watched | None = field(default=None)

    @property
    def watched(self) -> Watched:
        """What was seen. Raises RuntimeError while the watch goes on."""
        if self.result is None:
            raise RuntimeError("the watch is still on; leave its with block first")
        return self.result


@contextmanager
def watching(
    server_pid: int | None,
    generator_core: int | None = None,
    *,
    wall: Clock = time.time,
    monotonic: Clock = time.monotonic,
) -> Iterator[Watch]:
    """Watch while the block runs. Without ``server_pid``, of a server elsewhere, only the clock is watched."""
    watch, sampler = Watch(), _Sampler(server_pid, generator_core, wall, monotonic)
    sampler.start()
    try:
        yield watch
    finally:
        watch.result = sampler.stop()


def write_watched(folder: Path, watched: Watched) -> None:
    """Write ``watch.json`` into ``folder``."""
    text = json.dumps(dataclasses.asdict(watched), indent=2)
    write_atomically(folder / FILE, lambda path: path.write_text(text, encoding="utf-8"))


class _Sampler:
    def __init__(self, server_pid: int | None, generator_core: int | None, wall: Clock, monotonic: Clock) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._pid = server_pid
        self._generator_core = generator_core
        self._server, self._cores, self._unknown = _server(server_pid)
        self._separated = generator_core is not None and bool(self._cores) and generator_core not in self._cores
        self._looks: list[_Look] = []
        self._offsets_s: list[float] = []
        self._began_s = monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="server watch", daemon=True)

    def start(self) -> None:
        self._look()
        self._thread.start()

    def stop(self) -> Watched:
        self._over.set()
        self._thread.join()
        self._look()
        return self._watched()

    def _run(self) -> None:
        while not self._over.wait(EVERY_S):
            self._look()

    def _look(self) -> None:
        self._offsets_s.append(self._wall() - self._monotonic())
        if self._server is None or self._unknown is not None:
            return
        try:
            server = _tree(self._server)
            own = {} if self._separated else _tree(psutil.Process())
        except psutil.Error as error:
            if not self._over.is_set():
                self._unknown = f"the server's process could not be watched to the end ({type(error).__name__})"
            return
        busy_s = _busy_s(self._cores)
        others = sum(used for pid, used in own.items() if pid not in server)
        self._looks.append(_Look(self._monotonic(), busy_s, sum(server.values()), others))

    def _watched(self) -> Watched:
        looks = self._looks
        known = self._unknown is None and len(looks) > 1
        whole = _shares(looks[0], looks[-1], len(self._cores)) if known else None
        steps = [
            _shares(before, after, len(self._cores))[1]
            for before, after in pairwise(looks)
            if after.at_s - before.at_s >= SHORTEST_S
        ]
        return Watched(
            wall_s=self._monotonic() - self._began_s,
            server_pid=self._pid,
            server_cores=self._cores,
            generator_core=self._generator_core,
            separated=self._separated,
            server_share=None if whole is None else whole[0],
            foreign_share=None if whole is None else whole[1],
            worst_foreign_share=max(steps, default=None) if known else None,
            clock_step_s=max(self._offsets_s) - min(self._offsets_s),
            unknown=self._unknown if known or self._unknown else "the run was too short to be watched",
        )


def _server(pid: int | None) -> tuple[psutil.Process | None, tuple[int, ...], str | None]:
    """The server's process, the cores it may use, and why it cannot be watched."""
    if pid is None:
        return None, (), "the server is not a process that was named"
    try:
        process = psutil.Process(pid)
        cores = process.cpu_affinity() if hasattr(process, "cpu_affinity") else range(os.cpu_count() or 1)
    except psutil.Error as error:
        return None, (), f"the server's process {pid} cannot be watched ({type(error).__name__})"
    return process, tuple(sorted(cores)), None


def _tree(root: psutil.Process) -> dict[int, float]:
    """CPU seconds of a process and of each of its descendants; what has ended counts for whoever waited for it."""
    used = {root.pid: _cpu_s(root)}
    for child in root.children(recursive=True):
        try:
            used[child.pid] = _cpu_s(child)
        except psutil.NoSuchProcess:
            continue
    return used


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def _busy_s(cores: tuple[int, ...]) -> float:
    """Interrupts are left out: they carry the requests themselves, and belong to no process."""
    per_core = psutil.cpu_times(percpu=True)
    return sum(
        times.user + times.nice + times.system + getattr(times, "steal", 0.0)
        for core, times in enumerate(per_core)
        if core in cores
    )


def _shares(before: _Look, after: _Look, cores: int) -> tuple[float, float]:
    """The server's share and the foreign one."""
    available_s = (after.at_s - before.at_s) * cores
    server_s = after.server_s - before.server_s
    foreign_s = after.busy_s - before.busy_s - server_s - (after.own_s - before.own_s)
    return server_s / available_s, max(0.0, foreign_s) / available_s
