"""From a teacher behind an API to the verdict on the student that it taught, in one run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from evalkit.modelling.loading import load_classifier
from evalkit.record.run_record import read_record
from evalkit.stats.interval import Interval
from serving.manifest import read_manifest
from tests.faulty_api import Api, faulty_api
from tests.tiny_classifiers import FILLER

LABELS = ["no", "yes"]
TERMS = {"provider": "Acme", "url": "https://acme.example/terms", "read_on": "2026-11-01", "permits_training": "no"}
PRICE = {"source": "price list", "date": "2026-11-01"}
ENCODER = {"layers": 1, "width": 32, "heads": 2, "tokenizer": "own", "vocabulary": 320}
DISTILL = {"encoder": ENCODER, "epochs": 8, "learning_rate": 5e-3, "batch_rows": 16, "max_length": 32}


@pytest.fixture(scope="module")
def server() -> Iterator[Api]:
    with faulty_api() as api:
        yield api


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("TEACHER_KEY", "secret-key")


def texts(rows: int, seed: int) -> pd.DataFrame:
    """Words about a label, which the teacher finds and the student has to learn to find."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(LABELS, rows)
    words = [
        " ".join(rng.permutation([label, f"n{seed}{at}", *rng.choice(FILLER, rng.integers(2, 9))]))
        for at, label in enumerate(labels)
    ]
    return pd.DataFrame({"id": [f"{seed}-{at}" for at in range(rows)], "text": words, "label": labels})


def project(folder: Path, server: Api, student: dict[str, Any], soft: dict[str, Any] | None = None, **api: Any) -> Path:
    """200 training texts without labels, two of them not to be learnt from; 150 held-out rows, two of them answered
    outside the labels."""
    train, held_out = texts(200, seed=1).assign(label=None), texts(150, seed=2)
    train.loc[:1, "text"] = ["an OUTSIDE text", "an OVERFLOW text"]
    held_out.loc[:1, "text"] = ["one OUTSIDE yes", "another OUTSIDE no"]
    train.to_parquet(folder / "train.parquet")
    held_out.to_parquet(folder / "held_out.parquet")
    settings = {"base_url": server.base_url, "model": "planned", "key_env": "TEACHER_KEY", "max_tokens": 4, **api}
    tokens = {"usd_per_million_input": 1.0, "usd_per_million_output": 2.0}
    spec = {
        "task": {"name": "taught", "labels": LABELS},
        "data": {"train": "train.parquet", "held_out": "held_out.parquet"},
        "discovery": None,
        "teacher": {"api": settings | ({"soft": soft} if soft else {}), "terms": TERMS},
        "student": student,
        "cost": {
            "teacher": {"tokens": tokens, **PRICE},
            "student": {"usd_per_million_requests": 5.0, **PRICE},
            "cascade": False,
        },
        "requirements": {"quality": {"overall_margin": 0.08}, "cost_reduction": 2.0},
    }
    path = folder / "gate.yaml"
    path.write_text(yaml.safe_dump(spec))
    return path


def test_a_student_is_taught_by_the_answers_and_judged_against_them(in_process, server, tmp_path):
    gate = project(tmp_path, server, {"distill": DISTILL}, {"source": "top_logprobs", "least_listed": 0.89})
    run = tmp_path / "runs" / "one"
    assert "cost.teacher.tokens: no token usage was recorded" in " ".join(in_process("plan", gate).stdout.split())
    done = in_process("check", gate, "--run", run)
    assert done.exit_code == 0, done.output
    record = read_record(run)
    measured = {each.name: each.value for each in record.measurements}
    training = record.models[1].training
    assert training is not None
    assert (training["rows"], training["rows_left_out_outside"], training["rows_left_out_unanswered"]) == (198, 1, 1)
    assert training["vocabulary"] == 320
    assert "teacher_parameters" not in training
    assert measured["student_accuracy"].point > 0.95

    assert measured["teacher_answers_outside_labels"].point == pytest.approx(2 / 150)
    assert measured["teacher_accuracy"].point == pytest.approx(148 / 150)
    assert measured["teacher_accuracy_if_outside_were_right"].point == 1.0
    assert record.data["outside_labels"] == {"teacher": 2, "student": 0}

    (followed,) = [each for each in record.findings if each.measurement.name.startswith("agreement_with_teacher_on_tr")]
    assert isinstance(followed.measurement.value, Interval)
    assert (followed.fired, followed.measurement.value.n) == (False, 198)

    asked = pd.read_parquet(next(run.glob("stages/teacher-held-out/*/answers.parquet")))
    cost = measured["teacher_usd_per_million_requests"]
    assert isinstance(cost, Interval)
    assert cost.point == pytest.approx(asked["input_tokens"].mean() + 2.0 * asked["output_tokens"].mean())
    assert cost.lower < cost.point < cost.upper

    report = (run / "report.md").read_text()
    assert "Answers are labels, teacher | 1.3 (0.4 to 3.9) % of rows" in report
    assert "answered outside the labels and count as wrong; had the teacher been right on all of them" in report
    assert (
        "usage of 150 recorded calls (teacher.api's own answers to the held-out rows), 150 of them answered" in report
    )
    assert "Acme, https://acme.example/terms" in report

    before = server.counts()["asked"]
    spec = yaml.safe_load(gate.read_text())
    spec["requirements"]["quality"]["overall_margin"] = 0.07
    gate.write_text(yaml.safe_dump(spec))
    again = in_process("distill", gate, "--run", tmp_path / "runs" / "two", "--json")
    assert again.exit_code == 0, again.output
    assert server.counts()["asked"] == before
    weights, served = (Path(json.loads(again.stdout)[name]) for name in ("hugging_face", "served"))
    assert load_classifier(weights).labels == read_manifest(served).labels == tuple(LABELS)


def test_a_teacher_whose_answers_outside_the_labels_are_refused_stops_before_the_student_is_trained(
    in_process, server, tmp_path
):
    gate = project(tmp_path, server, {"distill": DISTILL}, {"source": "samples", "samples": 2}, outside="refuse")
    done = in_process("check", gate, "--run", tmp_path / "runs" / "one")
    assert done.exit_code == 2
    assert "gave 2 of 150 held-out rows no label (first: id 2-0 was answered 'maybe')" in done.stderr
    assert not list((tmp_path / "runs" / "one" / "stages").glob("student-weights"))


def test_answers_alone_teach_a_student_that_starts_from_a_folder(in_process, server, tmp_path):
    from evalkit.modelling.loading import save_classifier
    from evalkit.students.architecture import fresh_encoder
    from evalkit.students.own_tokenizer import own_tokenizer

    tokenizer = own_tokenizer(texts(200, seed=1)["text"].tolist(), 320)
    start = fresh_encoder(tokenizer, ("x", "y", "z"), layers=1, width=32, heads=2, max_length=32, seed=3)
    save_classifier(start.model, start.tokenizer, tmp_path / "start")
    distill = {name: value for name, value in DISTILL.items() if name != "encoder"}
    student = {"distill": {"start": "start", "objectives": [{"objective": "answers"}], **distill}}
    gate = project(tmp_path, server, student)
    done = in_process("distill", gate, "--run", tmp_path / "runs" / "one", "--json")
    assert done.exit_code == 0, done.output
    training = json.loads(done.stdout)
    assert (training["rows"], training["objectives"]) == (198, "answers")
    assert load_classifier(Path(training["hugging_face"])).labels == tuple(LABELS)
