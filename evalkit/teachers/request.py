"""One question to an API teacher: the whole request, and the key under which its answer is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.spec.loading import canonical_json
from evalkit.spec.teacher_api import TeacherApi


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request's body and which of several answers to it this is."""

    body: dict[str, Any]
    sample: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """Everything of a request but the text. ``revision`` names whoever answers: the API's address and the version
    that the user states."""

    revision: str
    instruction: str
    settings: dict[str, Any]

    def question(self, text: str, sample: int = 0) -> Question:
        """What is asked for one text."""
        messages = [{"role": "system", "content": self.instruction}, {"role": "user", "content": text}]
        return Question(body={**self.settings, "messages": messages}, sample=sample)

    def key(self, question: Question) -> bytes:
        """The key of a question's answer, 32 bytes."""
        return answer_key(question.body, self.revision, question.sample)


def answer_key(body: dict[str, Any], revision: str, sample: int) -> bytes:
    """sha256 of the request as canonical JSON, the teacher's revision and the number of the sample; 32 bytes.

    >>> answer_key({"b": 1, "a": 2}, "r", 0) == answer_key({"a": 2, "b": 1}, "r", 0)
    True
    """
    return hashlib.sha256(canonical_json({"request": body, "revision": revision, "sample": sample}).encode()).digest()


def held_out_prompt(api: TeacherApi, labels: Sequence[str]) -> Prompt:
    """How a held-out text is asked: once, at the teacher's own temperature."""
    return _prompt(api, labels, {"temperature": api.temperature})


def training_prompt(api: TeacherApi, labels: Sequence[str]) -> Prompt:
    """How a training text is asked: with probabilities of tokens, or at the temperature of samples, where the spec
    asks for soft labels; otherwise as a held-out text."""
    soft = api.soft
    if soft is None:
        return held_out_prompt(api, labels)
    if soft.source == "samples":
        return _prompt(api, labels, {"temperature": soft.temperature})
    return _prompt(api, labels, {"temperature": api.temperature, "logprobs": True, "top_logprobs": soft.top})


def _prompt(api: TeacherApi, labels: Sequence[str], settings: dict[str, Any]) -> Prompt:
    return Prompt(
        revision=f"{api.base_url.rstrip('/')} {api.revision}",
        instruction=api.instruction or default_instruction(labels),
        settings={**api.extra, "model": api.model, "max_tokens": api.max_tokens, **settings},
    )


def default_instruction(labels: Sequence[str]) -> str:
    """
    >>> default_instruction(["no", "yes"])
    'Classify the text. Answer with exactly one of these labels and nothing else: no, yes'
    """
    return f"Classify the text. Answer with exactly one of these labels and nothing else: {', '.join(labels)}"


def questions(prompt: Prompt, texts: Sequence[str], samples: int) -> Iterator[Question]:
    """Every text ``samples`` times, text by text."""
    return (prompt.question(text, sample) for text in texts for sample in range(samples))
