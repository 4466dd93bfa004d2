"""Trains every kind and its control over several seeds, and says what came of it."""

from __future__ import annotations

import argparse
import importlib.metadata
import math
import sys
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter

from benchmarks.claims import ROOT, at_least, at_most, claim, print_table, write_history
from benchmarks.distillation_bench.peers import trainer_seconds
from evalkit.modelling.loading import TextClassifier, load_classifier
from evalkit.modelling.mean_pooled import parameters
from evalkit.modelling.predicting import torch_logits
from evalkit.spec.distill import Distill, Inside, Objective
from evalkit.stats.distillation_gain import ENOUGH_SEEDS, gain
from evalkit.stats.interval import Interval
from evalkit.students.basis import Basis
from evalkit.students.distil import distil
from evalkit.students.from_spec import build
from evalkit.students.lesson import Lesson
from evalkit.students.schedule import Schedule
from evalkit.students.tfidf import tfidf_answers

EXAMPLE = ROOT / "examples" / "channel_sentiment"
KINDS: dict[str, list[dict[str, Any]]] = {
    "response": [{"objective": "response.kl", "temperature": 2.0}],
    "feature": [{"objective": "hard"}, {"objective": "feature.hidden", "distance": "cosine"}],
    "relation": [{"objective": "hard"}, {"objective": "relation.rkd", "weight": 0.1}],
    "response + feature + relation": [
        {"objective": "response.kl", "temperature": 2.0},
        {"objective": "feature.hidden", "distance": "cosine", "weight": 0.5},
        {"objective": "relation.rkd", "weight": 0.05},
    ],
    "answers": [{"objective": "answers"}],
}
CONTROL = "hard labels"
ALONE = "response, on the labelled rows alone"
"""What of the gain is the teacher's answers to the same rows, and not the rows that only it has labelled."""
MAX_LENGTH, BATCH_ROWS, LEVEL, SPEED_ROWS = 64, 32, 0.95, 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """The texts of the example with the teacher's answers; ``labelled`` numbers the lesson's rows with a label."""

    teacher: TextClassifier
    lesson: Lesson
    labelled: NDArray[np.int64]
    held_out: list[str]
    truth: NDArray[np.int64]


def main(about: str | None) -> int:
    options = _options(about)
    material = prepared(options)
    started = time.perf_counter()
    right = trained(material, options)
    claims = [*claims_of(material, options, right), speed(material, options)]
    print_table(claims)
    if not options.dry:
        settings = {key: value for key, value in vars(options).items() if key != "dry"}
        versions = {name: importlib.metadata.version(name) for name in ("accelerate", "transformers", "torch")}
        seconds = round(time.perf_counter() - started)
        print(write_history("distillation", claims, versions, settings=settings, kinds=KINDS, seconds=seconds))
    return 0


def _options(about: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5000, help="training rows, drawn at random")
    parser.add_argument("--held-out", type=int, default=8000, help="held-out rows")
    parser.add_argument("--seeds", type=int, default=3, help=f"trainings of each kind, {ENOUGH_SEEDS} or more")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--student", default="tiny", choices=["tiny", "mini", "small", "medium"])
    parser.add_argument("--rounds", type=int, default=3, help="turns of the two training loops")
    parser.add_argument("--dry", action="store_true", help="print only, keep nothing")
    options = parser.parse_args()
    if options.seeds < ENOUGH_SEEDS and not options.dry:
        parser.error(f"--seeds is below {ENOUGH_SEEDS}; fewer trainings carry no claim about training")
    return options


def prepared(options: argparse.Namespace) -> Material:
    """The example's data and teacher, made where they are not there yet, and what the teacher says to each text."""
    sys.path[:0] = [str(EXAMPLE), str(EXAMPLE.parent)]
    import prepare

    build_folder = EXAMPLE / "build"
    train, held_out = prepare.prepare_tables(build_folder, build_folder / "sources")
    teacher = load_classifier(prepare.prepare_teacher(build_folder, build_folder / "sources", train))
    train, held_out = (
        table.sample(n=min(rows, len(table)), random_state=1)
        for table, rows in ((train, options.rows), (held_out, options.held_out))
    )
    texts, labels = train["text"].tolist(), _numbers(train["label"], teacher.labels)
    probabilities = torch.softmax(torch.from_numpy(torch_logits(teacher, texts, MAX_LENGTH)), -1).numpy()
    return Material(
        teacher=teacher,
        lesson=Lesson(texts=texts, probabilities=probabilities, labels=labels),
        labelled=np.flatnonzero(labels >= 0),
        held_out=held_out["text"].tolist(),
        truth=_numbers(held_out["label"], teacher.labels),
    )


def _numbers(labels: pd.Series, names: tuple[str, ...]) -> NDArray[np.int64]:
    return labels.map({name: number for number, name in enumerate(names)}).fillna(-1).to_numpy(dtype=np.int64)


def student_of(material: Material, options: argparse.Namespace, seed: int) -> TextClassifier:
    """The student before training."""
    shape = {"encoder": {"size": options.student, "embeddings": "pca"}, "max_length": MAX_LENGTH}
    return build(Basis(labels=material.teacher.labels, teacher=material.teacher), Distill.model_validate(shape), seed)


def schedule_of(options: argparse.Namespace, seed: int) -> Schedule:
    return Schedule(
        epochs=options.epochs,
        learning_rate=options.learning_rate,
        batch_rows=BATCH_ROWS,
        max_length=MAX_LENGTH,
        seed=seed,
    )


def only_labelled(material: Material) -> Lesson:
    """The rows with a true label."""
    lesson, rows = material.lesson, material.labelled
    texts = [lesson.texts[row] for row in rows]
    return Lesson(texts=texts, probabilities=lesson.probabilities[rows], labels=lesson.labels[rows])


def with_as_many_steps(schedule: Schedule, rows: int, fewer: int) -> Schedule:
    """The schedule on ``fewer`` rows that takes as many steps as this one on ``rows``: more epochs, the last cut."""
    steps = schedule.steps(rows)
    return replace(schedule, epochs=math.ceil(steps / replace(schedule, epochs=1).steps(fewer)), most_steps=steps)


def trained(material: Material, options: argparse.Namespace) -> dict[str, NDArray[np.bool_]]:
    """Whether each held-out row is answered rightly, for every kind and the control: [seeds, rows]."""
    right: dict[str, list[NDArray[np.bool_]]] = {name: [] for name in (CONTROL, *KINDS, ALONE)}
    labelled, stated = only_labelled(material), {**KINDS, CONTROL: [{"objective": "hard"}], ALONE: KINDS["response"]}
    for seed in range(1, options.seeds + 1):
        for name, answers in right.items():
            student, schedule = student_of(material, options, seed), schedule_of(options, seed)
            lesson = material.lesson
            if name in (CONTROL, ALONE):
                schedule = with_as_many_steps(schedule, len(lesson.texts), len(labelled.texts))
                lesson = labelled
            objectives = _objectives(stated[name])
            beside = material.teacher if any(isinstance(each, Inside) for each in objectives) else None
            started = time.perf_counter()
            distil(student, lesson, objectives, schedule, lambda _: None, beside)
            seconds = time.perf_counter() - started
            answers.append(torch_logits(student, material.held_out, MAX_LENGTH).argmax(1) == material.truth)
            print(f"seed {seed}, {name}: {answers[-1].mean():.4f} in {seconds:.0f} s", flush=True)
    return {name: np.stack(answers) for name, answers in right.items()}


def _objectives(stated: list[dict[str, Any]]) -> tuple[Objective, ...]:
    return TypeAdapter(tuple[Objective, ...]).validate_python(stated)


def claims_of(
    material: Material, options: argparse.Namespace, right: dict[str, NDArray[np.bool_]]
) -> list[dict[str, Any]]:
    """The figures beside, the gain of each kind, and whether one is surely above zero at half the size."""
    teacher = torch_logits(material.teacher, material.held_out, MAX_LENGTH).argmax(1) == material.truth
    labelled = only_labelled(material)
    tfidf = tfidf_answers(labelled.texts, labelled.labels, material.held_out).answers == material.truth
    share = parameters(student_of(material, options, 1).model) / parameters(material.teacher.model)
    gains = {name: _gain(name, right, LEVEL) for name in KINDS}
    together = {name: _gain(name, right, 1 - (1 - LEVEL) / len(KINDS)) for name in KINDS}
    best = max(together, key=lambda name: together[name].lower)
    return [
        claim("the student's parameters, of the teacher's", share, "share", at_most(0.5)),
        claim("accuracy of the teacher", float(teacher.mean()), "share"),
        claim(
            f"accuracy of TF-IDF + logistic regression on {len(labelled.texts):,} labels", float(tfidf.mean()), "share"
        ),
        *(claim(f"accuracy, {name}", _means(each), "share") for name, each in right.items()),
        *(gain_claim(name, gains[name], right) for name in KINDS),
        gain_claim(ALONE, _gain(ALONE, right, LEVEL), right),
        claim(
            f"the surest gain of {len(KINDS)}, lower end, all intervals holding at once ({best})",
            100 * together[best].lower,
            "points",
            at_least(0.0),
        ),
    ]


def _gain(name: str, right: dict[str, NDArray[np.bool_]], level: float) -> Interval:
    found = gain(right[name], right[CONTROL], level)
    if not isinstance(found, Interval):
        raise SystemExit(f"{name}: {found.reason}")
    return found


def gain_claim(name: str, found: Interval, right: dict[str, NDArray[np.bool_]]) -> dict[str, Any]:
    """One kind's mean gain in points of accuracy, the interval, and the seeds' own gains; surely above 0 or not."""
    lower, upper = 100 * found.lower, 100 * found.upper
    verdict = "gains" if lower > 0 else "loses" if upper < 0 else "not shown to gain"
    title = f"gain over hard labels, {name}: {verdict} ({lower:+.2f} to {upper:+.2f})"
    made = claim(title, 100 * found.point, "points")
    seeds = (100 * (right[name].mean(1) - right[CONTROL].mean(1))).tolist()
    return made | {"lower": lower, "upper": upper, "level": found.level, "rounds": [round(each, 3) for each in seeds]}


def _means(right: NDArray[np.bool_]) -> list[float]:
    return [float(each) for each in right.mean(1)]


def speed(material: Material, options: argparse.Namespace) -> dict[str, Any]:
    """Rows per second on hard labels against Trainer: the same student, rows, batch and length, in turns."""
    labelled = only_labelled(material)
    rows = min(SPEED_ROWS, len(labelled.texts))
    part = Lesson(
        texts=labelled.texts[:rows], probabilities=labelled.probabilities[:rows], labels=labelled.labels[:rows]
    )
    ratios = []
    for seed in range(options.rounds):
        schedule = replace(schedule_of(options, seed), epochs=1)
        theirs = trainer_seconds(student_of(material, options, seed), part.texts, part.labels, schedule)
        student, started = student_of(material, options, seed), time.perf_counter()
        distil(student, part, _objectives([{"objective": "hard"}]), schedule, lambda _: None)
        ours = time.perf_counter() - started
        print(f"rows per second: {rows / ours:.0f}, Trainer {rows / theirs:.0f}", flush=True)
        ratios.append(theirs / ours)
    peer = f"transformers Trainer {importlib.metadata.version('transformers')}"
    return claim("training rows per second, ÷ Trainer's", ratios, "×", at_least(1.0), peer)
