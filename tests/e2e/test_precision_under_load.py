"""A whole check with int8 under load: labels that depend on the other texts in a batch void nothing, and are told."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.tiny_classifiers import LABELS, texts_and_labels, write_tiny_teacher, write_unsure

pytestmark = pytest.mark.alone

SPEC = {
    "task": {"name": "tiny", "labels": list(LABELS)},
    "data": {"train": "train.parquet", "held_out": "held_out.parquet"},
    "discovery": None,
    "teacher": {"recorded": "teacher.csv"},
    "student": {"load": "student"},
    "load": {"rate_rps": 80, "duration_s": 2, "warmup_s": 0.5, "saturation_clients": 16, "saturation_s": 2},
    "requirements": {"cost_reduction": None},
}


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A student that cannot decide: what its neighbours in a batch move ever so little changes its label."""
    folder = tmp_path_factory.mktemp("int8")
    texts_and_labels(100, seed=1).to_parquet(folder / "train.parquet")
    held_out = texts_and_labels(1000, seed=2)
    held_out.to_parquet(folder / "held_out.parquet")
    held_out[["id"]].assign(prediction=held_out["label"]).to_csv(folder / "teacher.csv", index=False)
    write_unsure(folder / "student", write_tiny_teacher(folder / "teacher", steps=1), held_out["text"].tolist())
    return folder


def checked(in_process, project: Path, precision: str, **serve) -> tuple[dict, str]:
    """The record and the Markdown report of a check in this precision."""
    asked = {"precision": precision, "provider": "cpu", "most_label_flips": 0.3, **serve}
    (project / "gate.yaml").write_text(yaml.safe_dump({**SPEC, "serve": asked}))
    run = project / "runs" / precision
    done = in_process("check", project / "gate.yaml", "--run", run)
    assert done.exit_code in (0, 1, 3), done.output
    return json.loads((run / "record.json").read_text()), (run / "report.md").read_text()


def differing(project: Path, precision: str) -> float:
    """The share of labels, served in full batches, that differ from the offline ones."""
    (samples,) = (project / "runs" / precision).glob("stages/load-student/*/saturation/samples.parquet")
    matches = pd.read_parquet(samples)["label_matches"].dropna()
    assert len(matches) > 300
    return float((~matches.astype(bool)).mean())


def names_another_label(load: dict) -> bool:
    return any("named another label" in reason for reason in load["void_reasons"])


@pytest.mark.slow
def test_dynamic_int8_is_judged_alone_and_what_its_batches_change_is_told_and_allowed(in_process, project):
    record, report = checked(in_process, project, "int8_dynamic")
    batches, (load,) = record["models"][1]["batches"], record["loads"]
    assert (batches["texts"], batches["batch_rows"]) == (1000, 16)
    assert 0 < batches["lower"] < batches["changed"] / 1000 < batches["upper"] < 0.1
    assert differing(project, "int8_dynamic") > 0.001, "nothing had to be allowed"
    assert not names_another_label(load)
    assert load["limits"]["max_batch_dependent_share"] == batches["upper"]
    assert f"{batches['changed']} of 1,000 labels change with the texts in the same batch" in report
    assert "by the other texts in the batch" in report or load["void_reasons"]


@pytest.mark.slow
def test_static_int8_needs_no_allowance(in_process, project):
    record, _ = checked(in_process, project, "int8_static", calibration_rows=50)
    (load,) = record["loads"]
    assert record["models"][1]["batches"] is None
    assert "max_batch_dependent_share" not in load["limits"]
    assert differing(project, "int8_static") == 0


def test_more_dependence_than_allowed_ends_the_check_and_one_text_a_batch_has_none(in_process, project):
    asked = {**SPEC, "serve": {"precision": "int8_dynamic", "provider": "cpu", "most_label_flips": 0.3}, "load": None}
    (project / "gate.yaml").write_text(yaml.safe_dump(asked))
    assert in_process("check", project / "gate.yaml", "--run", project / "runs" / "before").exit_code in (0, 1, 3)
    served = next((project / "runs" / "before").glob("stages/student-model/*/model"))
    strict = {**asked, "student": {"load": str(served)}}
    strict["serve"] = {"precision": "int8_dynamic", "provider": "cpu", "most_label_flips": 0.001}
    (project / "gate.yaml").write_text(yaml.safe_dump(strict))
    done = in_process("check", project / "gate.yaml", "--run", project / "runs" / "strict")
    assert done.exit_code == 4
    assert "labels depend on which other texts share their batch of 16 (" in done.stderr
    assert "serve.most_label_flips allows 0.1%. Take int8_static, serve one text at a time" in done.stderr
    strict["serve"]["max_batch_rows"] = 1
    (project / "gate.yaml").write_text(yaml.safe_dump(strict))
    assert in_process("check", project / "gate.yaml", "--run", project / "runs" / "alone").exit_code in (0, 1, 3)
