"""The whole gate on real models: distilled, exported, served by the real server, loaded by the real generator."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
import yaml

from tests.tiny_classifiers import LABELS, texts_and_labels, write_tiny_teacher

pytestmark = pytest.mark.alone

SPEC = {
    "task": {"name": "tiny", "labels": list(LABELS)},
    "data": {"train": "train.parquet", "held_out": "held_out.parquet"},
    "subpopulations": {"by": ["channel"]},
    "teacher": {"load": "teacher"},
    "student": {"distill": {"cut_layers": [0], "epochs": 2, "learning_rate": 1e-3, "batch_rows": 16, "max_length": 32}},
    "load": {"rate_rps": 60, "duration_s": 6, "warmup_s": 1, "saturation_clients": 4, "saturation_s": 2},
    "cost": {
        side: {"usd_per_hour": 0.1, "source": "price list", "date": "2026-11-01"} for side in ("teacher", "student")
    },
    "requirements": {"latency": {"p99_ms": 500}, "cost_reduction": 1.01},
}
STAGES = [
    "data", "teacher-model", "teacher-outputs", "student-weights", "student-model", "predictions", "quality",
    "diagnosis", "load-student", "load-teacher", "load-pair",
]  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    write_tiny_teacher(folder / "teacher")
    train = texts_and_labels(600, seed=1)
    train.loc[400:, "label"] = None
    train.to_parquet(folder / "train.parquet")
    texts_and_labels(900, seed=2).to_parquet(folder / "held_out.parquet")
    (folder / "gate.yaml").write_text(yaml.safe_dump(SPEC))
    return folder


def start(project: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "evalkit", "check", "gate.yaml", *arguments],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_load(project: Path, process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Waits until the generator is sending, and returns the gate's children."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        children = psutil.Process(process.pid).children(recursive=True)
        if any("loadtest.generator" in " ".join(child.cmdline()) for child in children):
            time.sleep(3)
            return children
        time.sleep(0.2)
    raise AssertionError("the load stage did not start")


def gone(children: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(children, timeout=15)
    return not alive


def finished_stages(run: Path) -> dict[str, float]:
    return {path.parent.parent.name: path.stat().st_mtime for path in run.glob("stages/*/*/stage.json")}


@pytest.mark.slow
def test_killed_in_the_load_stage_it_goes_on_where_it_stopped(project, evalkit):
    process = start(project)
    children = wait_for_load(project, process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert gone(children), "the server or the generator outlived a killed gate"

    (run,) = (path for path in (project / "runs").iterdir() if path.is_dir())
    before = finished_stages(run)
    assert sorted(before) == sorted(STAGES[:8])
    assert not (run / "verdict.json").exists()

    done = evalkit("check", "gate.yaml", cwd=project)
    assert done.returncode in (0, 1, 3), done.stderr
    after = finished_stages(run)
    assert {name: after[name] for name in before} == before, "a finished stage was repeated"
    assert [line.split(":")[0] for line in done.stderr.splitlines() if "found finished" in line] == STAGES[:8]

    check_record(run)
    again = evalkit("check", "gate.yaml", cwd=project)
    assert again.returncode == done.returncode
    assert again.stderr.count("found finished") >= 8
    interrupt_another_bar(project, run)


def check_record(run: Path) -> None:
    """The record says what the run's own files say, recomputed with pandas alone."""
    record = json.loads((run / "record.json").read_text())
    measured = {(each["name"], each["subpopulation"]): each["value"] for each in record["measurements"]}
    table = pd.read_parquet(run / "predictions.parquet")
    for role in ("teacher", "student"):
        for name, rows in [("all", table), *((f"channel={key}", part) for key, part in table.groupby("channel"))]:
            accuracy = (rows[role] == rows["row_label"]).mean()
            assert measured[f"{role}_accuracy", name]["point"] == pytest.approx(accuracy, abs=1e-12)
        columns = [f"{role}_probability_{label}" for label in LABELS]
        assert (table[columns].idxmax(axis=1).str.removeprefix(f"{role}_probability_") == table[role]).all()
        (samples,) = run.glob(f"stages/load-{role}/*/latency/samples.parquet")
        sent = pd.read_parquet(samples).query("not warmup")
        if "point" in measured[f"{role}_p50_ms", "all"]:
            median = sent["latency_ms"].sort_values().iloc[-(-len(sent) // 2) - 1]
            assert measured[f"{role}_p50_ms", "all"]["point"] == pytest.approx(median)
        assert sent["label_matches"].dropna().mean() > 0.99
    assert measured["teacher_accuracy", "all"]["point"] > 0.9, "the tiny teacher learnt nothing"
    parity = [model["parity"]["largest_logit_difference"] for model in record["models"]]
    assert all(0 <= difference < 1e-3 for difference in parity)
    assert record["models"][1]["parameters"] < record["models"][0]["parameters"]
    assert {load["role"] for load in record["loads"]} == {"teacher", "student"}


def interrupt_another_bar(project: Path, first: Path) -> None:
    """Another load section: everything before the load is taken over; Ctrl-C ends children and exits 130."""
    spec = json.loads(json.dumps(SPEC))
    spec["load"]["rate_rps"] = 61
    (project / "gate.yaml").write_text(yaml.safe_dump(spec))
    process = start(project)
    children = wait_for_load(project, process)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "interrupted; what is finished is kept" in errors
    assert gone(children)
    assert errors.count("found finished") == 8
    (run,) = (path for path in (project / "runs").iterdir() if path.is_dir() and path != first)
    assert sorted(finished_stages(run)) == sorted(STAGES[:8])
