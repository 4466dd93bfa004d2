"""The controls are the same student with the same budget, taught otherwise."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evalkit.data.dataset import Rows
from evalkit.spec.distill import Answers, Distill, Hard
from evalkit.students.early_stopping import split
from evalkit.students.schedule import schedule_of
from evalkit.workflow.controlling_trained import taught, with_steps_of

STATED = {
    "encoder": {"layers": 1, "width": 16, "heads": 2},
    "temperature": 3.0,
    "epochs": 4,
    "batch_rows": 16,
    "accumulate": 2,
    "learning_rate": 0.002,
}
TEXTS = [f"text {number}" for number in range(500)]


def test_a_control_has_the_students_shape_and_schedule_and_nothing_of_what_it_learns() -> None:
    distill = Distill.model_validate(STATED)
    hard, answers = taught(distill, "hard"), taught(distill, "answers")
    assert (hard.learnt, answers.learnt) == ((Hard(),), (Answers(),))
    assert hard.encoder == distill.encoder
    assert schedule_of(hard, 7) == schedule_of(distill, 7)
    colder = Distill.model_validate({**STATED, "temperature": 1.0})
    assert taught(colder, "hard") == hard, "a control is not trained again for what it does not learn"


@pytest.mark.parametrize("labelled", [500, 499, 333, 100, 40])
@pytest.mark.parametrize("most", [None, 37])
def test_it_takes_exactly_as_many_steps_on_its_fewer_rows(labelled: int, most: int | None) -> None:
    distill = Distill.model_validate({**STATED, "steps": most})
    control = with_steps_of(distill, taught(distill, "hard"), TEXTS, TEXTS[:labelled], seed=1)
    steps = schedule_of(distill, 1).steps(500)
    assert schedule_of(control, 1).steps(labelled) == steps == (most or 64)


def test_what_is_held_back_is_not_counted() -> None:
    distill = Distill.model_validate({**STATED, "held_back": 0.2})
    control = with_steps_of(distill, taught(distill, "hard"), TEXTS, TEXTS[:200], seed=1)
    trained, its = (len(split(texts, 0.2, 1)[0]) for texts in (TEXTS, TEXTS[:200]))
    assert (trained, its) == (400, 160)
    assert schedule_of(control, 1).steps(its) == schedule_of(distill, 1).steps(trained) == 52


def test_a_part_of_the_rows_keeps_text_label_and_truth_together() -> None:
    table = pd.DataFrame({"id": list("abcd"), "text": ["one", "two", "three", "four"]})
    rows = Rows(
        ids=tuple("abcd"),
        texts=tuple(table["text"]),
        labels=np.array([1, -1, 0, 1]),
        table=table,
        truth=np.array(["yes", None, "no", "yes"], dtype=object),
    )
    part = rows.part(np.array([3, 0]))
    assert (part.ids, part.texts, part.labels.tolist()) == (("d", "a"), ("four", "one"), [1, 1])
    assert part.truth.tolist() == ["yes", "yes"]
    assert part.table["text"].tolist() == ["four", "one"]
