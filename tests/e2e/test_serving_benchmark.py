"""The serving benchmark runs, against the real server and with no peers; its figures are not looked at."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.alone

ROOT = Path(__file__).resolve().parent.parent.parent
CAN_RUN = shutil.which("wrk") and shutil.which("taskset") and len(os.sched_getaffinity(0)) >= 2


@pytest.mark.slow
@pytest.mark.skipif(not CAN_RUN, reason="needs wrk, taskset and two cores")
@pytest.mark.long
def test_the_comparison_prints_every_claim_that_needs_no_peer() -> None:
    command = [sys.executable, "benchmarks/serving.py", "--quick", "--dry", "--limit-ms", "100", "--peers"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    for start in (
        "16 clients, served ÷ raw ONNX Runtime at batch 16",
        "one client's p50 ÷ raw ONNX Runtime's at batch 1",
        "16 clients, int8 served ÷ fp32 served",
        "greatest rate with 99 % answered in 100 ms",
        "at 1.5 × the maximum: goodput",
    ):
        assert any(line.startswith(start) for line in done.stdout.splitlines()), done.stdout
