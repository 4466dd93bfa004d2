"""How far a run is: a bar on a terminal, plain lines elsewhere. Always on standard error."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from evalkit.record.stages import StageResult
from evalkit.workflow.gate import Reporter

EVERY_S = 10.0


def reporter() -> Reporter:
    """The reporter that fits standard error."""
    return Bars() if sys.stderr.isatty() else Lines()


class Bars:
    """One bar a stage, kept when it is done."""

    def __init__(self) -> None:
        self._bars = Progress(
            TextColumn("{task.fields[stage]:<16}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=Console(stderr=True),
        )

    def started(self, stage: str) -> None:
        self._bars.start()
        self._task = self._bars.add_task("", total=1.0, stage=stage)

    def progress(self, share: float, note: str) -> None:
        self._bars.update(self._task, completed=share, description=note)

    def finished(self, result: StageResult) -> None:
        note = f"found finished ({result.finished_at})" if result.reused else f"{result.seconds:.1f} s"
        self._bars.update(self._task, completed=1.0, description=note)
        self._bars.stop_task(self._task)
        self._bars.stop()
        self._bars.remove_task(self._task)
        self._bars.console.print(f"  [green]✓[/] {result.name:<16} {note}", highlight=False)


class Lines:
    """One line when a stage starts and ends, and at most one every ten seconds between."""

    def __init__(self) -> None:
        self._stage, self._last = "", 0.0

    def started(self, stage: str) -> None:
        self._stage, self._last = stage, time.monotonic()

    def progress(self, share: float, note: str) -> None:
        if time.monotonic() - self._last >= EVERY_S:
            self._last = time.monotonic()
            self._say(f"{self._stage}: {share:.0%}, {note}")

    def finished(self, result: StageResult) -> None:
        note = f"found finished ({result.finished_at})" if result.reused else f"done in {result.seconds:.1f} s"
        self._say(f"{result.name}: {note}")

    def _say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)
