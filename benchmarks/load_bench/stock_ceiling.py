"""Locust as it comes: FastHttpUser in a closed loop. Prints, as JSON, its rate and the CPU time of a request."""

from __future__ import annotations

import json
import os
import time

import gevent
from locust import FastHttpUser, events, task

BODY = os.environ["BENCH_BODY"].encode()
SKIP_S, SECONDS = 1.5, float(os.environ["BENCH_SECONDS"])


class Stock(FastHttpUser):
    @task
    def classify(self) -> None:
        self.client.post("/v1/classify", data=BODY, headers={"Content-Type": "application/json"})


@events.init.add_listener
def watch(environment, **_) -> None:
    def measured() -> None:
        gevent.sleep(SKIP_S)
        started, cpu_s, requests = time.monotonic(), time.process_time(), environment.stats.total.num_requests
        gevent.sleep(SECONDS)
        done = environment.stats.total.num_requests - requests
        spent_s, passed_s = time.process_time() - cpu_s, time.monotonic() - started
        print(json.dumps({"rps": done / passed_s, "cpu_us": spent_s / done * 1e6}), flush=True)
        environment.runner.quit()

    gevent.spawn(measured)
