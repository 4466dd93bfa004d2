"""Locust's own figures (web UI, CSV, console), fed in batches.

Firing Locust's request event costs as much as sending the request. So what a run records is added up twice a
second and merged into Locust's statistics the way its master merges those of its workers. Only where somebody
else listens to the event too is it fired for each request, late by at most one batch.
"""

from __future__ import annotations

import time
from typing import Any

import gevent
import numpy as np

from loadtest.failures import Failure
from loadtest.recorder import Recorder

EVERY_S = 0.5
METHOD = "POST"


class LocustFigures:
    """Collects the rows that are done; ``watch`` is a greenlet that hands them to Locust."""

    def __init__(self, environment: Any, recorder: Recorder, name: str) -> None:
        self._environment = environment
        self._recorder = recorder
        self._name = name
        self._rows: list[int] = []
        self.on_done = self._rows.append

    def watch(self) -> None:
        while True:
            gevent.sleep(EVERY_S)
            self.flush()

    def flush(self) -> None:
        """Hand over what is done by now."""
        rows = np.array(self._rows, dtype=np.int64)
        self._rows.clear()
        if not rows.size:
            return
        columns = self._recorder.columns
        latency_ms = (columns["done_s"][rows] - columns["intended_s"][rows]) * 1000
        failures = columns["failure"][rows]
        if self._others_listen():
            self._fire(latency_ms.tolist(), columns["answer_bytes"][rows].tolist(), failures.tolist())
        else:
            self._merge(latency_ms, int(columns["answer_bytes"][rows].sum()), failures)

    def _others_listen(self) -> bool:
        """Locust's own listener is the runner's."""
        return len(self._environment.events.request._handlers) > 1

    def _fire(self, latency_ms: list[float], sizes: list[int], failures: list[int]) -> None:
        for took_ms, size, failure in zip(latency_ms, sizes, failures, strict=True):
            self._environment.events.request.fire(
                request_type=METHOD,
                name=self._name,
                response_time=took_ms,
                response_length=size,
                exception=None if failure == Failure.NONE else _Failed(Failure(failure).name.lower()),
                context={},
            )

    def _merge(self, latency_ms: Any, size: int, failures: Any) -> None:
        from locust.stats import StatsEntry, StatsError, bucket_response_time

        stats = self._environment.stats
        now = time.time()
        failed = failures[failures != Failure.NONE]
        batch: Any = StatsEntry(stats, self._name, METHOD)
        batch.num_requests, batch.num_failures = len(latency_ms), len(failed)
        batch.total_response_time = float(latency_ms.sum())
        batch.min_response_time, batch.max_response_time = float(latency_ms.min()), float(latency_ms.max())
        batch.total_content_length = size
        batch.last_request_timestamp = now
        batch.num_reqs_per_sec[int(now)] = len(latency_ms)
        if len(failed):
            batch.num_fail_per_sec[int(now)] = len(failed)
        for took_ms in latency_ms.tolist():
            batch.response_times[bucket_response_time(took_ms)] += 1
        stats.get(self._name, METHOD).extend(batch)
        stats.total.extend(batch)
        for failure, count in zip(*np.unique(failed, return_counts=True), strict=True):
            error = _Failed(Failure(failure).name.lower())
            key = StatsError.create_key(METHOD, self._name, error)
            entry = stats.errors.setdefault(key, StatsError(METHOD, self._name, error))
            entry.occurrences += int(count)


class _Failed(Exception):
    """Named in Locust's table of failures."""
