"""LoadGen's Server scenario against an HTTP server, in a process of its own.

    python -m benchmarks.capacity_bench.loadgen URL BODIES RATE LIMIT_MS SECONDS FOLDER

Each query is one POST of a line of BODIES, from a pool of threads with a connection each. LoadGen draws the Poisson
schedule, takes the time from the scheduled send, and says VALID or INVALID by its own early-stopping rule. It knows no
failures: an answer other than 200 is completed late, beyond the limit, so that a server which refuses cannot look fast.
Prints one JSON object.
"""

from __future__ import annotations

import http.client
import json
import queue
import re
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

THREADS = 64
PATH = "/v1/classify"
SUMMARY = "mlperf_log_summary.txt"
TIMEOUT_S = 30.0
PERCENTILE = 0.99
_SWITCH_S = 0.0005  # Python's own 5 ms between threads would be a fifth of the limit


def run(url: str, bodies: Sequence[bytes], rate_rps: float, limit_ms: float, seconds: float, folder: Path) -> str:
    """Runs the scenario and returns the text of LoadGen's summary."""
    import mlperf_loadgen as loadgen

    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threads = [
        threading.Thread(target=_send, args=(url, bodies, limit_ms, waiting, loadgen), daemon=True)
        for _ in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    sut = loadgen.ConstructSUT(lambda samples: [waiting.put((each.id, each.index)) for each in samples], lambda: None)
    qsl = loadgen.ConstructQSL(len(bodies), len(bodies), lambda _: None, lambda _: None)
    log = loadgen.LogSettings()
    output = loadgen.LogOutputSettings()
    output.outdir, output.copy_summary_to_stdout = str(folder), False
    log.log_output, log.enable_trace = output, False
    loadgen.StartTestWithLogSettings(sut, qsl, _settings(loadgen, rate_rps, limit_ms, seconds), log)
    for _ in threads:
        waiting.put(None)
    loadgen.DestroyQSL(qsl)
    loadgen.DestroySUT(sut)
    return (folder / SUMMARY).read_text()


def _settings(loadgen: Any, rate_rps: float, limit_ms: float, seconds: float) -> Any:
    settings = loadgen.TestSettings()
    settings.scenario = loadgen.TestScenario.Server
    settings.mode = loadgen.TestMode.PerformanceOnly
    settings.server_target_qps = rate_rps
    settings.server_target_latency_ns = int(limit_ms * 1e6)
    settings.server_target_latency_percentile = PERCENTILE
    settings.min_duration_ms = int(1000 * seconds)
    settings.min_query_count = int(rate_rps * seconds)
    return settings


def _send(url: str, bodies: Sequence[bytes], limit_ms: float, waiting: queue.SimpleQueue[Any], loadgen: Any) -> None:
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=TIMEOUT_S)
    while (query := waiting.get()) is not None:
        number, index = query
        if not _answered(connection, bodies[index]):
            connection.close()
            time.sleep(2 * limit_ms / 1000)
        loadgen.QuerySamplesComplete([loadgen.QuerySampleResponse(number, 0, 0)])


def _answered(connection: http.client.HTTPConnection, body: bytes) -> bool:
    try:
        connection.request("POST", PATH, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        return False
    return answer.status == 200


def read_summary(text: str) -> dict[str, Any]:
    """The verdict, p99 in ms and the reasons of LoadGen's summary. Raises ValueError where there is no verdict.

    >>> read_summary("Result is : VALID\\n99.00 percentile latency (ns)   : 12000000\\n")
    {'valid': True, 'p99_ms': 12.0, 'rps': None}
    """
    verdict = re.search(r"Result is : (VALID|INVALID)", text)
    if verdict is None:
        raise ValueError(f"LoadGen's summary has no verdict: {text[:500]!r}")
    p99 = re.search(r"99\.00 percentile latency \(ns\)\s*:\s*(\d+)", text)
    rps = re.search(r"(?:Completed|Scheduled) samples per second\s*:\s*([\d.]+)", text)
    return {
        "valid": verdict[1] == "VALID",
        "p99_ms": float(p99[1]) / 1e6 if p99 else None,
        "rps": float(rps[1]) if rps else None,
    }


def main(arguments: Sequence[str]) -> None:
    url, bodies, rate, limit_ms, seconds, folder = arguments
    sys.setswitchinterval(_SWITCH_S)
    lines = [line.encode() for line in Path(bodies).read_text(encoding="utf-8").splitlines()]
    print(json.dumps(read_summary(run(url, lines, float(rate), float(limit_ms), float(seconds), Path(folder)))))


if __name__ == "__main__":
    main(sys.argv[1:])
