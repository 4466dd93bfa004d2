"""What a server counts, in a fixed layout of numbers: cheap to add to, and easy to share between processes.

`prometheus_client` has a mode for several processes, but it costs a lock and a lookup for every figure and keeps the
files of dead processes. All labels here are known beforehand, so a process has one row of numbers: see
`serving.board`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

OTHER = "other"
# Requests whose head never came in full, or is no HTTP.
UNREAD = "unread"
CLASSIFY, INFER = "/v1/classify", "/v2/models/{name}/infer"
PATHS = (
    CLASSIFY,
    INFER,
    "/v1/info",
    "/v2",
    "/v2/models/{name}",
    "/v2/repository",
    "/v2/health/live",
    "/v2/health/ready",
    "/metrics",
    "/openapi.json",
    OTHER,
    UNREAD,
)
STATUSES = (
    200, 307, 400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 431, 499, 500, 503, 504,
)  # fmt: skip
REFUSED = ("queue full", "too late", "draining", "too many connections")
DROPPED = ("client gone", "deadline passed")

_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
_TOKENS = (16.0, 64.0, 256.0, 1_024.0, 4_096.0, 16_384.0, 65_536.0)

Numbers: TypeAlias = "memoryview[float]"


@dataclass(frozen=True, slots=True)
class Histogram:
    """Where a distribution lies in the row: one cell a bucket, one more beyond the last bound, and one for the sum."""

    start: int
    bounds: tuple[float, ...]

    @property
    def cells(self) -> int:
        """How many cells it takes."""
        return len(self.bounds) + 2

    @property
    def sum_at(self) -> int:
        """The cell of the sum."""
        return self.start + len(self.bounds) + 1


@dataclass(frozen=True, slots=True)
class Table:
    """Where counts by one or two labels lie in the row."""

    start: int
    labels: tuple[Any, ...]


class _Layout:
    """Hands out the cells of a row one after the other."""

    def __init__(self) -> None:
        self.cells = 0

    def histogram(self, bounds: tuple[float, ...]) -> Histogram:
        made = Histogram(self.cells, bounds)
        self.cells += made.cells
        return made

    def table(self, labels: Sequence[Any]) -> Table:
        made = Table(self.cells, tuple(labels))
        self.cells += len(made.labels)
        return made

    def cell(self) -> int:
        return self.table((None,)).start


_layout = _Layout()
REQUEST_SECONDS = _layout.histogram(_SECONDS)
QUEUE_SECONDS = _layout.histogram(_SECONDS)
TOKENISE_SECONDS = _layout.histogram(_SECONDS)
COMPUTE_SECONDS = _layout.histogram(_SECONDS)
BATCH_ROWS = _layout.histogram(_ROWS)
BATCH_TOKENS = _layout.histogram(_TOKENS)
REQUESTS = _layout.table([(path, status) for path in PATHS for status in (*STATUSES, OTHER)])
REFUSALS = _layout.table((*REFUSED, OTHER))
DROPPED_ROWS = _layout.table((*DROPPED, OTHER))
CLOSED_CONNECTIONS = _layout.cell()
RESTARTS = _layout.cell()
# What is true of a process now and of a dead one no more.
WAITING_ROWS = _layout.cell()
OPEN_CONNECTIONS = _layout.cell()
ALIVE = _layout.cell()
GAUGES = (WAITING_ROWS, OPEN_CONNECTIONS, ALIVE)
CELLS = _layout.cells

_PATH_AT = {path: index for index, path in enumerate(PATHS)}
_STATUS_AT = {status: index for index, status in enumerate(STATUSES)}
_REFUSED_AT = {reason: REFUSALS.start + index for index, reason in enumerate(REFUSED)}
_DROPPED_AT = {reason: DROPPED_ROWS.start + index for index, reason in enumerate(DROPPED)}
_PREFIXES = (("/v2/repository/", "/v2/repository"), ("/v2/models/", "/v2/models/{name}"))


@dataclass(slots=True, eq=False)
class Figures:
    """Adds to one process's row; an `Observer` of its requests.

    Args:
        row: `CELLS` numbers that nobody else writes.
    """

    row: Numbers

    def tokenised(self, seconds: float) -> None:
        """See `Observer`."""
        self._add(TOKENISE_SECONDS, seconds)

    def queued(self, seconds: float) -> None:
        """See `Observer`."""
        self._add(QUEUE_SECONDS, seconds)

    def computed(self, seconds: float, rows: int, tokens: int) -> None:
        """See `Observer`."""
        self._add(COMPUTE_SECONDS, seconds)
        self._add(BATCH_ROWS, rows)
        self._add(BATCH_TOKENS, tokens)

    def dropped(self, reason: str, rows: int) -> None:
        """See `Observer`."""
        self.row[_DROPPED_AT.get(reason, DROPPED_ROWS.start + len(DROPPED))] += rows

    def refused(self, reason: str) -> None:
        """See `Observer`."""
        self.row[_REFUSED_AT.get(reason, REFUSALS.start + len(REFUSED))] += 1

    def requested(self, path: str, status: int, seconds: float) -> None:
        """A request of a path was answered; what it took counts where it ran the model."""
        named = path_label(path)
        self.row[_request_cell(named, status)] += 1
        if status == 200 and (named is CLASSIFY or named is INFER):
            self._add(REQUEST_SECONDS, seconds)

    def unread(self, status: int) -> None:
        """A request was answered, or its connection closed, before its head could be read."""
        self.row[_request_cell(UNREAD, status)] += 1

    def disconnected(self) -> None:
        """A connection ended."""
        self.row[CLOSED_CONNECTIONS] += 1

    def alive(self) -> None:
        """This process answers from now on."""
        self.row[ALIVE] = 1

    def waiting(self, rows: int) -> None:
        """So many rows wait for a batch now."""
        self.row[WAITING_ROWS] = rows

    def connected(self, connections: int) -> None:
        """So many connections are open now."""
        self.row[OPEN_CONNECTIONS] = connections

    def _add(self, histogram: Histogram, value: float) -> None:
        row = self.row
        row[histogram.start + bisect_left(histogram.bounds, value)] += 1
        row[histogram.sum_at] += value


def path_label(path: str) -> str:
    """The path as figures name it, so that no client can make up new names.

    >>> path_label("/v2/models/tiny/versions/1/infer"), path_label("/v2/models/tiny/ready"), path_label("/x")
    ('/v2/models/{name}/infer', '/v2/models/{name}', 'other')
    """
    if path in _PATH_AT:
        return CLASSIFY if path == CLASSIFY else path
    if path.startswith("/v2/models/") and path.endswith("/infer"):
        return INFER
    return next((label for prefix, label in _PREFIXES if path.startswith(prefix)), OTHER)


def _request_cell(label: str, status: int) -> int:
    at = _PATH_AT.get(label, _PATH_AT[OTHER]) * (len(STATUSES) + 1)
    return REQUESTS.start + at + _STATUS_AT.get(status, len(STATUSES))
