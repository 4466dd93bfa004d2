"""Small real projects: recorded predictions, and a tiny teacher that was really trained."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from tests.e2e.recorded_project import write_project
from tests.e2e.spoiled_projects import OWN_METRICS

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def evalkit() -> Run:
    """The command line as a user runs it: a process of its own."""

    def run(*arguments: object, cwd: Path, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "evalkit", *map(str, arguments)],
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env={**os.environ, "COLUMNS": "120"},
        )

    return run


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    """The same command line in this process, for the many cases that a process each would take minutes for."""
    from evalkit.cli.app import app

    monkeypatch.setenv("COLUMNS", "120")
    handler = signal.getsignal(signal.SIGTERM)
    yield lambda *arguments: CliRunner().invoke(app, [str(each) for each in arguments])
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def recorded(tmp_path: Path) -> Callable[..., Path]:
    """Writes a project of recorded predictions: (retention, usd a million of teacher and student) → gate.yaml."""
    return partial(write_project, tmp_path)


@pytest.fixture
def own_metrics(tmp_path, monkeypatch):
    """The functions of `tests/e2e/spoiled_projects.py` as metrics that a spec can name."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "own_metrics.py").write_text(OWN_METRICS)
    monkeypatch.syspath_prepend(str(folder))
