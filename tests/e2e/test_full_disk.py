"""The real command on a real file system that is full, or that nobody may write on: a tmpfs of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.full_disks import NAMESPACE, can_mount
from tests.tiny_classifiers import LABELS, texts_and_labels, write_tiny_teacher

SPEC = {
    "task": {"name": "tiny", "labels": list(LABELS)},
    "data": {"train": "train.parquet", "held_out": "held_out.parquet"},
    "teacher": {"load": "teacher"},
    "student": {"distill": {"cut_layers": [0], "epochs": 1, "batch_rows": 16, "max_length": 32}},
    "cost": {
        side: {"usd_per_million_requests": 1.0, "source": "price list", "date": "2026-11-01"}
        for side in ("teacher", "student")
    },
}
DISTILL = f"{sys.executable} -m evalkit distill gate.yaml --run disk/run"
pytestmark = pytest.mark.skipif(not can_mount(), reason="nobody may mount a tmpfs here")


@pytest.fixture
def project(tmp_path) -> Path:
    write_tiny_teacher(tmp_path / "teacher", steps=1)
    texts_and_labels(200, seed=1).to_parquet(tmp_path / "train.parquet")
    texts_and_labels(200, seed=2).to_parquet(tmp_path / "held_out.parquet")
    (tmp_path / "gate.yaml").write_text(yaml.safe_dump(SPEC))
    (tmp_path / "disk").mkdir()
    return tmp_path


def on_a_disk(project: Path, size: str, commands: str) -> subprocess.CompletedProcess[str]:
    script = f"mount -t tmpfs -o size={size} tmpfs disk && cd . && {commands}"
    return subprocess.run(
        [*NAMESPACE, "sh", "-c", script], cwd=project, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.slow
def test_distill_on_a_full_disk_is_one_line_and_goes_on_once_there_is_room(project):
    listed = "find disk/run -name stage.json -o -name '*.unfinished' | sort; mount -o remount,size=50m disk"
    done = on_a_disk(project, "480k", f"{DISTILL}; echo exit $?; {listed}; {DISTILL}; echo exit $?")
    said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(said) == 1, done.stderr
    assert "could not be written (No space left on device); is the disk full or read-only?" in said[0]
    assert "Traceback" not in done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("exit ")] == ["exit 4", "exit 0"]
    assert "disk/run/stages/data/" in done.stdout, "what was finished is kept"
    assert ".unfinished" not in done.stdout
    assert done.stderr.count("found finished") >= 1


def test_a_read_only_disk_is_one_line(project):
    done = on_a_disk(project, "1m", f"mount -o remount,ro disk; {DISTILL}; echo exit $?")
    assert done.stdout == "exit 2\n", done.stderr
    assert "disk/run cannot be a run folder (Read-only file system); give another --run folder" in done.stderr
