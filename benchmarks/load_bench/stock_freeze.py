"""Locust as it comes against the server that freezes: users who wait for their answers, at the same mean rate.

Prints as JSON the p99 that Locust shows and that of the raw times it hands out, both from the actual send.
"""

from __future__ import annotations

import json
import os

import numpy as np
from locust import FastHttpUser, constant_throughput, events, task

BODY = os.environ["BENCH_BODY"].encode()
taken_ms: list[float] = []


class Stock(FastHttpUser):
    wait_time = constant_throughput(float(os.environ["BENCH_RATE"]) / int(os.environ["BENCH_USERS"]))

    @task
    def classify(self) -> None:
        self.client.post("/v1/classify", data=BODY, headers={"Content-Type": "application/json"})


@events.request.add_listener
def heard(response_time, **_) -> None:
    taken_ms.append(response_time)


@events.quitting.add_listener
def show(environment, **_) -> None:
    raw = float(np.quantile(taken_ms, 0.99, method="inverted_cdf"))
    shown = environment.stats.total.get_response_time_percentile(0.99)
    print(json.dumps({"raw_p99_ms": raw, "shown_p99_ms": shown, "requests": len(taken_ms)}), flush=True)
