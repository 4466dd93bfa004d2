"""Recorded predictions of the kinds of task that are no classification, with a student a little worse than its teacher
or, at a higher ``error``, much worse."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tests.recorded_projects import Tables

TOPICS = ("politics", "sport", "tech")
VERBS = ("opens", "closes", "moves", "starts", "stops", "checks", "turns", "lifts")
THINGS = ("the door", "a lamp", "the blind", "a heater", "the garage", "an alarm", "the fan", "a window")


def multilabel(error: float, rows: int = 1_500, seed: int = 21) -> Tables:
    """Any of three topics a row. The teacher is wrong about a topic in 6 of 100, the student in ``error`` more."""
    rng = np.random.default_rng(seed)
    truth = rng.random((rows, 3)) < (0.5, 0.35, 0.2)
    teacher = truth ^ (rng.random((rows, 3)) < 0.06)
    student = teacher ^ (rng.random((rows, 3)) < error)
    ids = [f"m{number}" for number in range(rows)]
    held_out = pd.DataFrame(
        {
            "id": ids,
            "text": [f"article {number}" for number in range(rows)],
            "label": _cells(truth),
            "source": rng.choice(["agency", "blog"], rows),
        }
    )
    tables = []
    for answers in (teacher, student):
        sure = rng.uniform(0.6, 0.98, (rows, 3))
        given = np.where(answers, sure, 1 - sure)
        columns = {f"probability_{topic}": given[:, index] for index, topic in enumerate(TOPICS)}
        tables.append(pd.DataFrame({"id": ids, "prediction": _cells(answers), **columns}))
    return Tables(held_out=held_out, teacher=tables[0], student=tables[1])


def ranking(error: float, queries: int = 500, seed: int = 22) -> Tables:
    """Four to eight items a query, of relevance 0 to 3; scores are relevance plus noise, rounded so that some tie. The
    student's noise is the teacher's and ``error`` more."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(4, 9, queries)
    query = np.repeat(np.arange(queries), sizes)
    relevance = rng.integers(0, 4, len(query))
    relevance[np.cumsum(sizes) - 1] = 3  # each query has something to find
    relevance[np.cumsum(sizes) - 2] %= 3  # and something to find it among
    noisy = relevance + rng.normal(0, 0.8, len(query))
    ids = [f"i{number}" for number in range(len(query))]
    held_out = pd.DataFrame(
        {
            "id": ids,
            "text": [f"item {number}" for number in range(len(query))],
            "label": relevance,
            "query": [f"q{number}" for number in query],
            "language": np.array(["de", "en"])[rng.integers(0, 2, queries)][query],
        }
    )
    teacher, student = (
        pd.DataFrame({"id": ids, "prediction": np.round(noisy + rng.normal(0, spread, len(query)), 1)})
        for spread in (0.0, error)
    )
    return Tables(held_out=held_out, teacher=teacher, student=student)


def generation(error: float, rows: int = 800, seed: int = 23) -> Tables:
    """Short sentences. The teacher writes another thing in 1 row of 8, the student in a share ``error`` more."""
    rng = np.random.default_rng(seed)
    verbs, things, others = rng.choice(VERBS, rows), rng.choice(THINGS, rows), rng.choice(THINGS, rows)
    ids = [f"g{number}" for number in range(rows)]
    references = [
        f"She {verb} {thing}, {number}." for number, (verb, thing) in enumerate(zip(verbs, things, strict=True))
    ]
    astray = rng.random(rows) < 0.125
    worse = astray | (rng.random(rows) < error)
    recased = rng.random(rows) < 0.1

    def answers(wrong: np.ndarray, lower: np.ndarray) -> list[str]:
        written = np.where(wrong, others, things)
        texts = [
            f"She {verb} {thing}, {number}." for number, (verb, thing) in enumerate(zip(verbs, written, strict=True))
        ]
        return [text.lower() if small else text for text, small in zip(texts, lower, strict=True)]

    held_out = pd.DataFrame(
        {
            "id": ids,
            "text": [f"prompt {number}" for number in range(rows)],
            "label": references,
            "language": rng.choice(["de", "en"], rows),
        }
    )
    teacher = pd.DataFrame({"id": ids, "prediction": answers(astray, np.zeros(rows, dtype=bool))})
    student = pd.DataFrame({"id": ids, "prediction": answers(worse, recased & worse)})
    return Tables(held_out=held_out, teacher=teacher, student=student)


def _cells(held: np.ndarray) -> list[str]:
    return ["|".join(topic for topic, there in zip(TOPICS, row, strict=True) if there) for row in held]
