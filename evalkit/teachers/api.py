"""One request to an OpenAI-compatible API, through the ``openai`` package, and the answer in it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any, Self

from evalkit.errors import SpecError
from evalkit.spec.teacher_api import TeacherApi
from evalkit.teachers.answers import Alternatives, Answer
from evalkit.teachers.budget import usd_of
from evalkit.teachers.errors import KeyMissing
from evalkit.teachers.failures import Again, Asked, meaning
from evalkit.teachers.request import Question

MALFORMED = "answer cut short or malformed"


class ApiTeacher:
    """A connection pool to one API; use it as an asynchronous context. Raises KeyMissing without a key, and SpecError
    where the package is not installed."""

    def __init__(self, api: TeacherApi, environment: Mapping[str, str] = os.environ) -> None:
        key = environment.get(api.key_env, "").strip()
        if not key:
            raise KeyMissing(
                f"{api.key_env} is empty; put the API's key into this environment variable (any word, where the server "
                "asks for none)"
            )
        try:
            import openai
        except ImportError as error:
            raise SpecError("teacher.api needs the package openai; install evalkit-gate[api]") from error
        self._api = api
        self._asked = Asked(base_url=api.base_url, model=api.model, key_env=api.key_env, key=key)
        self._failed = openai.APIError
        # the package's own retries would be neither counted nor paid for from the budget
        self._client = openai.AsyncOpenAI(api_key=key, base_url=api.base_url, max_retries=0, timeout=api.timeout_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def ask(self, question: Question) -> Answer:
        """The answer to one request, sent once.

        Raises Again where it may be sent again, TextRefused where this text has no answer, and a LabellingError where
        no text would have one."""
        started = time.perf_counter()
        try:
            said = await self._client.post("/chat/completions", cast_to=object, body=question.body)
        except self._failed as error:
            raise meaning(error, self._asked) from error
        except ValueError as error:  # the body of a 200 is not JSON
            raise Again(kind=MALFORMED, may_be_billed=True) from error
        return read_answer(said, self._api, 1000.0 * (time.perf_counter() - started))


def read_answer(said: object, api: TeacherApi, latency_ms: float) -> Answer:
    """The answer in a chat completion. Raises Again where it is not one."""
    try:
        return _answer(said, api, latency_ms)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise Again(kind=MALFORMED, may_be_billed=True) from error


def _answer(said: Any, api: TeacherApi, latency_ms: float) -> Answer:
    choice, usage = said["choices"][0], said.get("usage") or {}
    text = choice["message"].get("content") or ""
    if not isinstance(text, str):
        raise TypeError("the content is not a text")
    input_tokens, output_tokens = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    return Answer(
        text=text,
        finish_reason=str(choice.get("finish_reason") or ""),
        model=str(said.get("model") or ""),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        usd=None if input_tokens is None or output_tokens is None else usd_of(api.prices, input_tokens, output_tokens),
        latency_ms=latency_ms,
        tokens=_tokens(choice.get("logprobs")),
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _tokens(logprobs: Any) -> Alternatives | None:
    if not logprobs or not logprobs.get("content"):
        return None
    return tuple(
        (str(place["token"]), tuple((str(each["token"]), float(each["logprob"])) for each in place["top_logprobs"]))
        for place in logprobs["content"]
    )
