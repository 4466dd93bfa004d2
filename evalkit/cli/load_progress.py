"""How far a load is: one bar on a terminal, a line now and then elsewhere. Always on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

EVERY_S = 10.0

Show = Callable[[float, str], None]


@contextmanager
def shown() -> Iterator[Show]:
    """A function of the share that has passed and what is going on."""
    if not sys.stderr.isatty():
        yield _Lines().show
        return
    columns = (BarColumn(bar_width=24), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("", total=1.0)
        yield lambda share, note: bars.update(task, completed=share, description=note)


class _Lines:
    def __init__(self) -> None:
        self._last, self._note = time.monotonic(), ""

    def show(self, share: float, note: str) -> None:
        if note != self._note or time.monotonic() - self._last >= EVERY_S:
            self._last, self._note = time.monotonic(), note
            print(f"{share:.0%} {note}", file=sys.stderr)
