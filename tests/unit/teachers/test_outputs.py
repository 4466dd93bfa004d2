"""The store of teacher outputs: no text is asked twice, answers come back in order."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit.teachers.outputs import OutputStore


class Teacher:
    """Answers with the text's length, and remembers what it was asked."""

    def __init__(self, fail_after=None):
        self.asked, self.fail_after = [], fail_after

    def __call__(self, batches, answer):
        for at in self.order(len(batches)):
            if self.fail_after is not None and len(self.asked) >= self.fail_after:
                raise RuntimeError("killed")
            self.asked += batches[at]
            answer(at, np.array([[len(text), 1.0] for text in batches[at]], dtype=np.float32))

    def order(self, batches):
        return range(batches)


class Cluster(Teacher):
    """Answers its batches in another order than they were asked in."""

    def order(self, batches):
        return reversed(range(batches))


def silent(done, total):
    return


def ask(path, teacher, texts, version="v1"):
    with OutputStore(path) as store:
        return store.probabilities(version, texts, teacher, silent)


def test_answers_come_in_the_order_of_the_texts_whatever_the_order_they_were_asked_in(tmp_path):
    texts = ["ccc", "a", "bb", "a"]
    answers = ask(tmp_path / "outputs.sqlite", Teacher(), texts)
    assert answers[:, 0].tolist() == [3, 1, 2, 1]


def test_answers_keep_their_texts_where_the_batches_come_back_in_another_order(tmp_path):
    texts = ["x" * (number % 700 + 1) for number in range(1500)]
    answers = ask(tmp_path / "outputs.sqlite", Cluster(), texts)
    assert answers[:, 0].tolist() == [len(text) for text in texts]


def test_a_text_that_stands_there_twice_is_asked_once(tmp_path):
    teacher = Teacher()
    ask(tmp_path / "outputs.sqlite", teacher, ["a", "b", "a"])
    assert sorted(teacher.asked) == ["a", "b"]


def test_a_killed_run_asks_only_for_what_is_missing(tmp_path):
    texts = [f"text {number:04d}" for number in range(1000)]
    first = Teacher(fail_after=512)
    with pytest.raises(RuntimeError):
        ask(tmp_path / "outputs.sqlite", first, texts)
    second = Teacher()
    answers = ask(tmp_path / "outputs.sqlite", second, texts)
    assert len(first.asked) == 512
    assert len(second.asked) == 488
    assert not set(first.asked) & set(second.asked)
    assert answers.shape == (1000, 2)


def test_another_teacher_is_asked_anew(tmp_path):
    ask(tmp_path / "outputs.sqlite", Teacher(), ["a"], version="v1")
    teacher = Teacher()
    ask(tmp_path / "outputs.sqlite", teacher, ["a"], version="v2")
    assert teacher.asked == ["a"]
