"""What went on beside a run: who else used the server's cores, and whether the clock was set.

The process that starts the generators looks whenever they report progress, four times a second: so the time before
the first request and after the last one, in which they start up and write their files, does not count.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from loadtest.layout import write_atomically

FILE = "watch.json"
WORST_OF_S = 1.0

Clock = Callable[[], float]
Progress = Callable[[float], None]


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


class Watch:
    """Looks at the machine; ``watched`` is there once the ``with`` block of :func:`watching` is left."""

    def __init__(self, server_pid: int | None, generator_core: int | None, wall: Clock, monotonic: Clock) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._pid, self._generator_core = server_pid, generator_core
        self._server, self._cores, self._unknown = _server(server_pid)
        self._separated = generator_core is not None and bool(self._cores) and generator_core not in self._cores
        self._server_tree: list[psutil.Process] = []
        self._own_tree: list[psutil.Process] = []
        self._looks: list[_Look] = []
        self._offsets_s: list[float] = []
        self._began_s = monotonic()
        self._result: Watched | None = None

    @property
    def watched(self) -> Watched:
        """What was seen. Raises RuntimeError while the watch goes on."""
        if self._result is None:
            raise RuntimeError("the watch is still on; leave its with block first")
        return self._result

    def following(self, on_progress: Progress | None = None) -> Progress:
        """What to give a run as its ``on_progress``: it looks, then calls yours."""

        def look_and_tell(share: float) -> None:
            self.look()
            if on_progress is not None:
                on_progress(share)

        return look_and_tell

    def look(self) -> None:
        """Look now. What happens before the first look and after the last one does not count."""
        self.look_at_clock()
        if self._server is None or self._unknown is not None:
            return
        try:
            if not self._looks:
                self._find_processes(self._server)
            server_s = _cpu_s(self._server_tree)
        except psutil.Error as error:
            self._unknown = f"the server's process could not be watched to the end ({type(error).__name__})"
            return
        self._looks.append(_Look(self._monotonic(), _busy_s(self._cores), server_s, _cpu_s(self._own_tree)))

    def look_at_clock(self) -> None:
        """Compare the two clocks."""
        self._offsets_s.append(self._wall() - self._monotonic())

    def finish(self) -> None:
        """End the watch."""
        self.look_at_clock()
        looks = self._looks
        whole = _shares(looks[0], looks[-1], len(self._cores)) if self._unknown is None and len(looks) > 1 else None
        self._result = Watched(
            wall_s=self._monotonic() - self._began_s,
            server_pid=self._pid,
            server_cores=self._cores,
            generator_core=self._generator_core,
            separated=self._separated,
            server_share=None if whole is None else whole[0],
            foreign_share=None if whole is None else whole[1],
            worst_foreign_share=None if whole is None else self._worst(whole[1]),
            clock_step_s=max(self._offsets_s) - min(self._offsets_s),
            unknown=self._unknown if whole is not None or self._unknown else "the run reported no progress",
        )

    def _find_processes(self, server: psutil.Process) -> None:
        """Once: looking for children reads all of /proc. Who joins the server later counts as foreign."""
        self._server_tree = [server, *server.children(recursive=True)]
        if not self._separated:
            own = psutil.Process()
            self._own_tree = [each for each in (own, *own.children(recursive=True)) if each not in self._server_tree]

    def _worst(self, whole: float) -> float:
        """The worst second; the whole run where that is shorter."""
        worst, before = 0.0, self._looks[0]
        for look in self._looks[1:]:
            if look.at_s - before.at_s >= WORST_OF_S:
                worst, before = max(worst, _shares(before, look, len(self._cores))[1]), look
        return max(worst, whole)


@contextmanager
def watching(
    server_pid: int | None,
    generator_core: int | None = None,
    *,
    wall: Clock = time.time,
    monotonic: Clock = time.monotonic,
) -> Iterator[Watch]:
    """Watch a run that is started in this block with ``on_progress=watch.following(...)``.

    Without ``server_pid``, of a server elsewhere, only the clock is watched.
    """
    watch = Watch(server_pid, generator_core, wall, monotonic)
    watch.look_at_clock()
    try:
        yield watch
    finally:
        watch.finish()


def write_watched(folder: Path, watched: Watched) -> None:
    """Write ``watch.json`` into ``folder``."""
    text = json.dumps(dataclasses.asdict(watched), indent=2)
    write_atomically(folder / FILE, lambda path: path.write_text(text, encoding="utf-8"))


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


def _cpu_s(processes: list[psutil.Process]) -> float:
    """CPU seconds of a process and its descendants. What has ended counts for whoever waited for it.

    Raises NoSuchProcess where the first of them is gone.
    """
    used_s = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            if process is processes[0]:
                raise
            continue
        used_s += times.user + times.system + times.children_user + times.children_system
    return used_s


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
