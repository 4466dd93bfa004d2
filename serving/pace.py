"""How fast batches have been coming through, and so how long a row that arrives now will take."""

from __future__ import annotations

_WEIGHT = 0.1  # of the newest batch


class Pace:
    """Seconds a row, as an exponentially weighted mean over batches.

    Counted from the end of the batch before, or from the start where nothing ran: what the event loop spends between
    batches belongs to it.
    """

    def __init__(self) -> None:
        self._seconds_per_row: float | None = None
        self._since: float | None = None
        self._running = 0

    def began(self, now: float, rows: int) -> None:
        """A batch starts."""
        self._running = rows
        if self._since is None:
            self._since = now

    def finished(self, now: float, *, more: bool) -> None:
        """The batch is done; whether more rows wait already."""
        assert self._since is not None
        newest = (now - self._since) / self._running
        former = newest if self._seconds_per_row is None else self._seconds_per_row
        self._seconds_per_row = former + _WEIGHT * (newest - former)
        self._running = 0
        self._since = now if more else None

    def wait_s(self, rows: int, now: float) -> float:
        """How long until `rows` more are answered, the batch that runs included; 0 while nothing is known."""
        if self._seconds_per_row is None:
            return 0.0
        spent = now - self._since if self._since is not None and self._running else 0.0
        return rows * self._seconds_per_row + max(0.0, self._running * self._seconds_per_row - spent)
