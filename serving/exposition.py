"""`GET /metrics`: the figures of all workers in the text format of Prometheus, or in OpenMetrics where asked."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi.exceptions import HTTPException
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector, CollectorRegistry
from starlette.types import Receive, Scope, Send

from serving import figures
from serving.board import Board
from serving.classifier import Classifier
from serving.figures import Figures, Histogram, Table
from serving.plain_http import Handler, header, respond

PATH = "/metrics"

HISTOGRAMS: dict[str, tuple[Histogram, str]] = {
    "evalkit_request_seconds": (figures.REQUEST_SECONDS, "From the head of an answered inference call to its answer."),
    "evalkit_queue_seconds": (figures.QUEUE_SECONDS, "How long a part of a request waited for its batch."),
    "evalkit_tokenise_seconds": (figures.TOKENISE_SECONDS, "Turning the texts of a request into tokens."),
    "evalkit_compute_seconds": (figures.COMPUTE_SECONDS, "Running the model on a batch."),
    "evalkit_batch_rows": (figures.BATCH_ROWS, "Texts in a batch."),
    "evalkit_batch_tokens": (figures.BATCH_TOKENS, "Tokens in a batch, padding included."),
}
TABLES: dict[str, tuple[Table, tuple[str, ...], str]] = {
    "evalkit_requests": (figures.REQUESTS, ("path", "status"), "HTTP requests answered; 499: the client left before."),
    "evalkit_refused": (figures.REFUSALS, ("reason",), "Requests that were not accepted."),
    "evalkit_dropped_rows": (figures.DROPPED_ROWS, ("reason",), "Accepted texts that were not computed."),
}
COUNTERS: dict[str, tuple[int, str]] = {
    "evalkit_closed_connections": (figures.CLOSED_CONNECTIONS, "Connections that ended."),
    "evalkit_worker_restarts": (figures.RESTARTS, "Workers that were started in place of a dead one."),
}
GAUGES: dict[str, tuple[int, str]] = {
    "evalkit_waiting_rows": (figures.WAITING_ROWS, "Texts accepted and not yet in a batch."),
    "evalkit_open_connections": (figures.OPEN_CONNECTIONS, "Connections open now."),
    "evalkit_workers": (figures.ALIVE, "Workers that answer."),
}
MODEL_INFO = "evalkit_model"


def metrics_handler(board: Board, own: Figures, classifier: Classifier) -> Handler:
    """The call as plain ASGI; `own` are the figures of this process."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(board, classifier))

    async def metrics(scope: Scope, _: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405, f"{PATH} takes GET", {"Allow": "GET, HEAD"})
        own.waiting(classifier.batcher.waiting_rows)
        accepted = (header(scope, b"accept") or b"").decode("latin-1")
        encode, content_type = choose_encoder(accepted)
        await respond(send, 200, content_type.encode(), encode(registry))

    return metrics


class _Collector(Collector):
    def __init__(self, board: Board, classifier: Classifier) -> None:
        self._board = board
        self._classifier = classifier

    def collect(self) -> Iterator[Metric]:
        total = self._board.total()
        for name, (histogram, meaning) in HISTOGRAMS.items():
            yield _histogram(name, meaning, histogram, total)
        for name, (table, labels, meaning) in TABLES.items():
            yield _table(name, meaning, table, labels, total)
        for name, (cell, meaning) in COUNTERS.items():
            yield CounterMetricFamily(name, meaning, value=total[cell])
        for name, (cell, meaning) in GAUGES.items():
            yield GaugeMetricFamily(name, meaning, value=total[cell])
        engine = self._classifier.engine
        about = {"name": engine.name, "version": engine.version, "provider": engine.provider.value}
        yield InfoMetricFamily(MODEL_INFO, "The model that the answering worker serves.", value=about)


def _histogram(name: str, meaning: str, histogram: Histogram, total: list[float]) -> Metric:
    family = HistogramMetricFamily(name, meaning)
    buckets, below = [], 0.0
    for offset, bound in enumerate((*map(_bound, histogram.bounds), "+Inf")):
        below += total[histogram.start + offset]
        buckets.append((bound, below))
    family.add_metric((), buckets, total[histogram.sum_at])
    return family


def _bound(bound: float) -> str:
    return repr(float(bound))


def _table(name: str, meaning: str, table: Table, labels: tuple[str, ...], total: list[float]) -> Metric:
    """Of counts by several labels only those that are not 0: most pairs never happen."""
    family = CounterMetricFamily(name, meaning, labels=labels)
    for offset, value in enumerate(table.labels):
        counted = total[table.start + offset]
        values = value if isinstance(value, tuple) else (value,)
        if counted or len(labels) == 1:
            family.add_metric(tuple(map(str, values)), counted)
    return family
