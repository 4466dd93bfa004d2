"""Closed-loop clients by wrk: each sends its next request when the last one is answered."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving_bench.servers import Server

_SCRIPT = """
local requests, at = {}, 0
function init(args)
  for body in io.lines(args[1]) do
    table.insert(requests, wrk.format("POST", nil, {["Content-Type"] = "application/json"}, body))
  end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
function done(summary, latency)
  local e = summary.errors
  io.stderr:write(string.format(
    '{"requests": %d, "duration_us": %d, "p50_us": %d, "p99_us": %d, "errors": %d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedLoop:
    """What wrk saw: answers a second and their latency; every answer was a 200."""

    requests: int
    rps: float
    p50_ms: float
    p99_ms: float


def wrk_version() -> str:
    """Raises SystemExit where wrk is not installed."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed; apt-get install wrk (Debian, Ubuntu), or build github.com/wg/wrk")
    said = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout
    return said.split("[")[0].removeprefix("wrk").strip()


def closed_loop(server: Server, clients: int, seconds: float) -> ClosedLoop:
    """``clients`` connections for ``seconds``, from the cores of this process.

    Raises SystemExit where an answer is an error: the figures would then flatter the server.
    """
    with tempfile.TemporaryDirectory() as folder:
        script, bodies = Path(folder, "rotate.lua"), Path(folder, "bodies")
        script.write_text(_SCRIPT)
        bodies.write_text("\n".join(server.bodies) + "\n")
        command = [
            "wrk", "-t1", f"-c{clients}", f"-d{math.ceil(seconds)}s", "--timeout", "10s", "-s", str(script),
            f"http://127.0.0.1:{server.port}{server.path}", "--", str(bodies),
        ]  # fmt: skip
        said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    found = json.loads(said)
    if found["errors"]:
        raise SystemExit(
            f"{server.name}: {found['errors']} of {found['requests']} requests of {clients} clients failed"
        )
    return ClosedLoop(
        requests=found["requests"],
        rps=found["requests"] / (found["duration_us"] / 1e6),
        p50_ms=found["p50_us"] / 1e3,
        p99_ms=found["p99_us"] / 1e3,
    )
