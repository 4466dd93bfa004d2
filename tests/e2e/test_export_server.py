"""`evalkit export-server`: the student of a run that ended in GO, and of no other unless somebody says so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.model_folders import LABELS, write_tiny_model_folder

WORDS = {"good": "positive", "plain": "neutral", "bad": "negative"}
KSERVE = ("--to", "kserve", "--image", "registry/student:1")


def write_project(folder: Path, retention: float) -> None:
    """Two real ONNX models that agree on all 600 rows: a retention of 0.95 is shown by these, one of 0.999 is not."""
    write_tiny_model_folder(folder / "teacher", seed=0)
    write_tiny_model_folder(folder / "student", seed=1)
    words = np.random.default_rng(3).choice(list(WORDS), 600)
    rows = {
        "id": [f"r{at}" for at in range(600)],
        "text": [f"{word} film {at}" for at, word in enumerate(words)],
        "label": [WORDS[word] for word in words],
    }
    pd.DataFrame(rows).to_csv(folder / "held_out.csv", index=False)
    spec = {
        "task": {"name": "fixture", "labels": list(LABELS)},
        "data": {"held_out": "held_out.csv"},
        "teacher": {"load": "teacher"},
        "student": {"load": "student"},
        "discovery": None,
        "requirements": {"quality": {"overall_margin": 0.1, "retention": retention}, "cost_reduction": None},
    }
    (folder / "gate.yaml").write_text(yaml.safe_dump(spec))


@pytest.fixture(scope="module")
def runs(evalkit, tmp_path_factory) -> dict[str, Path]:
    """The folders of two finished runs, by their outcome."""
    found = {}
    for outcome, retention, code in (("GO", 0.95, 0), ("INCONCLUSIVE", 0.999, 3)):
        folder = tmp_path_factory.mktemp(outcome)
        write_project(folder, retention)
        done = evalkit("check", "gate.yaml", "--run", "run", cwd=folder)
        assert done.returncode == code, done.stdout + done.stderr
        found[outcome] = folder / "run"
    return found


def one_line(done) -> str:
    assert done.exit_code == 2, done.output
    assert "Traceback" not in done.output
    (line,) = done.stderr.strip().splitlines()
    return line


def test_a_student_with_go_is_exported_with_its_verdict(evalkit, runs, tmp_path):
    done = evalkit("export-server", runs["GO"], "--to", "triton", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "the verdict of run is GO" in done.stdout
    out = tmp_path / "tiny-triton"
    stated = json.loads((out / "export.json").read_text())
    record = json.loads((runs["GO"] / "record.json").read_text())
    assert stated["verdict"]["outcome"] == stated["verdict"]["standing"] == "GO"
    assert stated["model_version"] == record["signature"]["model_versions"]["student"]
    assert (out / "models" / "tiny" / "config.pbtxt").is_file()
    again = evalkit("export-server", runs["GO"], "--to", "triton", cwd=tmp_path)
    assert again.returncode == 2
    assert "is not empty" in again.stderr
    assert evalkit("export-server", runs["GO"], "--to", "triton", "--force", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("options", [("--to", "triton", "--backend", "onnxruntime"), KSERVE, ("--to", "docker")])
def test_every_target_carries_the_digests(in_process, runs, tmp_path, options):
    done = in_process("export-server", runs["GO"], *options, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    digests = json.loads((tmp_path / "out" / "export.json").read_text())["files"]
    assert set(digests) == {"model.onnx", "tokenizer.json"}
    written = "".join(path.read_text() for path in (tmp_path / "out").iterdir() if path.is_file())
    assert all(digest in written for digest in digests.values())


def test_a_student_without_go_stays_unless_somebody_answers_for_it(in_process, runs, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(runs["INCONCLUSIVE"], run)
    export = ("export-server", run, *KSERVE, "--out", tmp_path / "out")
    assert one_line(in_process(*export)) == (
        "error: the verdict of run is INCONCLUSIVE; only GO is exported: record an override with `evalkit override`, "
        "or give --even-if-not-go"
    )
    assert not (tmp_path / "out").exists()
    done = in_process(*export, "--even-if-not-go")
    assert done.exit_code == 0
    assert "the verdict of run is INCONCLUSIVE" in done.stdout
    assert in_process("override", run, "--outcome", "GO", "--reason", "pilot", "--by", "Ada").exit_code == 0
    done = in_process(*export, "--force")
    assert done.exit_code == 0, done.output
    assert "the verdict of run is INCONCLUSIVE, overridden to GO (Ada: pilot)" in done.stdout
    stated = yaml.safe_load((tmp_path / "out" / "inference_service.yaml").read_text())
    assert stated["metadata"]["annotations"]["evalkit/verdict"] == "GO"


def test_a_go_that_was_overridden_stays(in_process, runs, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(runs["GO"], run)
    assert in_process("override", run, "--outcome", "NO-GO", "--reason", "freeze", "--by", "Ada").exit_code == 0
    refused = one_line(in_process("export-server", run, "--to", "triton", "--out", tmp_path / "out"))
    assert "is GO, overridden to NO-GO (Ada: freeze); only GO is exported" in refused


def test_an_override_of_several_lines_stays_in_its_comment(in_process, runs, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(runs["INCONCLUSIVE"], run)
    reason = "pilot\nUSER 0\rkind: Pod\u2028\x07"
    assert in_process("override", run, "--outcome", "GO", "--reason", reason, "--by", "Ada").exit_code == 0
    for name, options in (("docker", ("--to", "docker")), ("kserve", KSERVE)):
        assert in_process("export-server", run, *options, "--out", tmp_path / name).exit_code == 0
    assert "\nUSER 0" not in (tmp_path / "docker" / "Dockerfile").read_text()
    assert yaml.safe_load((tmp_path / "kserve/inference_service.yaml").read_text())["kind"] == "InferenceService"


def test_a_bare_model_folder_has_no_verdict_and_the_output_says_so(in_process, tiny_model_folder, tmp_path):
    done = in_process("export-server", tiny_model_folder, "--to", "docker", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "no verdict: this is a model folder" in done.stdout
    assert json.loads((tmp_path / "out" / "export.json").read_text())["verdict"] is None


def test_a_student_that_is_not_the_judged_one_is_refused(in_process, runs, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(runs["GO"], run)
    (model,) = run.glob("stages/student-model/*/model")
    (model / "model.onnx").write_bytes(b"other")
    export = ("export-server", run, "--to", "triton", "--out", tmp_path / "out")
    assert "model.onnx has sha256" in one_line(in_process(*export))
    shutil.rmtree(model)
    write_tiny_model_folder(model, seed=8)  # sound in itself, but another model
    assert "and the verdict is of version" in one_line(in_process(*export))
    shutil.rmtree(model)
    assert "manifest.json cannot be read" in one_line(in_process(*export))


def test_a_run_of_recorded_predictions_has_no_student_to_serve(evalkit, recorded, in_process, tmp_path):
    gate = recorded(retention=0.99, teacher_usd=150, student_usd=1, rows=4_000, discovery=None)
    evalkit("check", gate.name, "--run", "run", cwd=gate.parent)
    refused = one_line(in_process("export-server", gate.parent / "run", "--to", "triton", "--even-if-not-go"))
    assert "judged recorded predictions, so there is no student in it to serve" in refused


REFUSED = {
    "error: --image belongs to --to kserve, not to --to triton; leave it out": ("--to", "triton", "--image", "a"),
    "error: --wheel belongs to --to docker, not to --to kserve; leave it out": (*KSERVE, "--wheel", "a.whl"),
    "error: --backend belongs to --to triton, not to --to docker; leave it out": (
        *("--to", "docker"),
        *("--backend", "python"),
    ),
    "error: --provider does not belong to --to docker, which writes a CPU and a CUDA image; leave it out": (
        *("--to", "docker"),
        *("--provider", "cuda"),
    ),
    "error: --to kserve needs --image, the image that runs the server (see --to docker)": ("--to", "kserve"),
    "error: --threads is 0; give at least 1": ("--to", "docker", "--threads", "0"),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_makes_no_sense_is_refused_in_one_line(in_process, tiny_model_folder, tmp_path, message):
    done = in_process("export-server", tiny_model_folder, *REFUSED[message], "--out", tmp_path / "out")
    assert one_line(done) == message
    assert not (tmp_path / "out").exists()


def test_what_is_neither_run_nor_model_is_refused(in_process, tmp_path):
    assert "is not a folder" in one_line(in_process("export-server", tmp_path / "none", "--to", "triton"))
    assert "no record.json" in one_line(in_process("export-server", tmp_path, "--to", "triton"))
