"""`evalkit capacity` as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from evalkit.cli.capacity_command import _rows
from evalkit.stats.interval import NotEstimable
from loadtest.capacity.plan import SearchPlan
from loadtest.capacity.result import CapacityResult, StoppedBecause

pytestmark = pytest.mark.alone

STUB = Path(__file__).parents[1] / "unit" / "loadtest" / "stub_server.py"


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.csv"
    path.write_text("text\nhello\nworld\n")
    return path


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("http://127.0.0.1:9", "--p99-ms", "0"), "limit_ms is 0; give a number above 0"),
        (("http://127.0.0.1:9", "--p99-ms", "25", "--confidence", "1"), "confidence is 1"),
        (("http://127.0.0.1:9", "--p99-ms", "25", "--start", "0"), "start_rps is 0"),
        (("http://127.0.0.1:9", "--p99-ms", "25", "--max-minutes", "-1"), "max_minutes is -1"),
        (("http://127.0.0.1:9", "--p99-ms", "20000"), "limit_ms is 20000; give a number above 0, at most 10000"),
        (("http://127.0.0.1:9", "--p99-ms", "25", "--text-column", "body"), "body"),
        (("http://192.0.2.1:80", "--p99-ms", "25"), "target 192.0.2.1 is not this machine"),
        (("127.0.0.1:9", "--p99-ms", "25"), "url is '127.0.0.1:9'"),
    ],
)
def test_bad_input_is_refused_in_one_line_before_any_request(
    options: tuple[str, ...], said: str, texts: Path, tmp_path: Path, in_process: Callable[..., Result]
) -> None:
    done = in_process("capacity", *options, "--requests", texts, "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_server_that_is_down_is_void_with_the_reason(
    texts: Path, tmp_path: Path, in_process: Callable[..., Result]
) -> None:
    done = in_process(
        "capacity", "http://127.0.0.1:9", "--requests", texts, "--p99-ms", "25", "--start", "300",
        "--out", tmp_path / "out", "--json",
    )  # fmt: skip
    assert done.exit_code == 3
    written = json.loads(done.stdout)
    assert written == json.loads((tmp_path / "out" / "capacity.json").read_text())
    assert written["stopped_because"] == "void"
    assert "is the server up?" in written["rate"]["reason"]
    assert len((tmp_path / "out" / "trials.csv").read_text().splitlines()) == 3


def test_the_reason_of_a_void_search_is_told_once() -> None:
    reason = "void: at 300 requests a second, twice: The generator sent late."
    result = CapacityResult(
        plan=SearchPlan(limit_ms=25), rate=NotEstimable(reason=reason, n=2), certified_rps=None, trials=(), cliff=None,
        stopped_because=StoppedBecause.VOID, explanation=reason, seconds=9.0,
    )  # fmt: skip
    assert [value for _, value in _rows(result, Path("x")) if reason in value] == [f"not found: {reason}"]


@pytest.mark.slow
def test_a_capacity_is_found_and_told(texts: Path, tmp_path: Path, evalkit: Callable[..., Any]) -> None:
    """3 ms a request, one after the other: fewer than 333 a second, and at half of that nobody waits for 60 ms."""
    command = [sys.executable, str(STUB), "--service-ms", "3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{int(server.stdout.readline())}"
            done = evalkit(
                "capacity", url, "--requests", texts, "--p99-ms", "60", "--start", "150", "--max-minutes", "0.6",
                "--out", "found", cwd=tmp_path,
            )  # fmt: skip
        finally:
            server.kill()
    found = json.loads((tmp_path / "found" / "capacity.json").read_text())
    if found["stopped_because"] == "void":
        pytest.skip(f"the machine was disturbed: {found['explanation']}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert 100 < found["rate"]["point"] < 333
    assert f"{found['rate']['point']:.1f} requests/s" in done.stdout
    assert "  1 bracket       150.0 requests/s" in done.stderr
