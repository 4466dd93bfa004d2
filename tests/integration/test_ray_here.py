"""`executor: ray` without an address: Ray is started on this machine, for as long as the work takes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.model_folders import write_tiny_model_folder

pytestmark = pytest.mark.alone
ROOT = Path(__file__).resolve().parents[2]


def test_ray_that_evalkit_started_on_this_machine_has_ended_when_the_texts_are_answered(tmp_path):
    """Nothing of it may take time from the load measurement that follows. In a process of its own: see `ray_here`."""
    model = write_tiny_model_folder(tmp_path / "model")
    command = [sys.executable, "-m", "tests.integration.ray_here", str(model), str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"during": 2, "after": 0, "equal": [True, True, True]}
