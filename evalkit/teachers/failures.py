"""What the API's refusals and breakdowns mean: ask again, leave this text, or stop."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.teachers.errors import KeyRefused, LabellingError, ModelUnknown, QuotaExhausted, RequestRefused
from evalkit.teachers.retrying import retry_after_s

if TYPE_CHECKING:
    import openai

AGAIN_STATUSES = (408, 409, 425, 429)
NO_QUOTA = ("insufficient_quota", "billing_hard_limit_reached")
OVERFLOW_CODES = ("context_length_exceeded", "string_above_max_length", "exceed_context_size_error")
OVERFLOW_WORDS = ("context length", "context window", "context size", "maximum number of tokens", "too many tokens")
FILTERED = "content_filter"
LONGEST_SAID = 200

TOO_LONG, BLOCKED = "longer than the model's context", "blocked by the provider's content filter"


@dataclass(eq=False, kw_only=True)
class Again(Exception):
    """The request may be sent again. ``may_be_billed``: the API may have answered, and charged, all the same."""

    kind: str
    retry_after_s: float | None = None
    may_be_billed: bool = False


@dataclass(eq=False, kw_only=True)
class TextRefused(Exception):
    """The API will never answer this one text; the others are asked all the same."""

    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Whom the requests go to, for messages. ``key`` is taken out of whatever the API says."""

    base_url: str
    model: str
    key_env: str
    key: str


def meaning(error: openai.APIError, asked: Asked) -> Again | TextRefused | LabellingError:
    """What an error of the ``openai`` package says to do."""
    import openai

    if isinstance(error, openai.APITimeoutError):
        return Again(kind="timeout", may_be_billed=True)
    if not isinstance(error, openai.APIStatusError):
        return Again(kind="connection lost", may_be_billed=True)
    status, codes = error.status_code, (str(error.code or ""), str(error.type or ""))
    if status == 402 or any(code in NO_QUOTA for code in codes):
        return QuotaExhausted(
            f"the quota of {asked.base_url} is exhausted ({_said(error, asked)}); top the account up and run again: "
            "what was answered is kept"
        )
    if status in AGAIN_STATUSES or status >= 500:
        kind = "busy (429)" if status == 429 else f"server error ({status})"
        return Again(kind=kind, retry_after_s=retry_after_s(error.response.headers))
    return _refusal(status, codes, _said(error, asked), asked)


def _refusal(status: int, codes: tuple[str, str], said: str, asked: Asked) -> TextRefused | LabellingError:
    if status in (401, 403):
        return KeyRefused(
            f"{asked.base_url} refuses the key in {asked.key_env} ({status}: {said}); correct the key or its rights"
        )
    if status == 404:
        return ModelUnknown(
            f"{asked.base_url} does not know model {asked.model} (404: {said}); correct teacher.api.model or base_url"
        )
    if FILTERED in codes:
        return TextRefused(kind=BLOCKED)
    if any(code in OVERFLOW_CODES for code in codes) or any(word in said.lower() for word in OVERFLOW_WORDS):
        return TextRefused(kind=TOO_LONG)
    return RequestRefused(f"{asked.base_url} refuses the request ({status}: {said}); correct teacher.api")


def _said(error: openai.APIStatusError, asked: Asked) -> str:
    body = error.body
    message = body.get("message") if isinstance(body, dict) else None
    said = message if isinstance(message, str) else json.dumps(body, default=str) if body else "nothing said"
    if asked.key:
        said = said.replace(asked.key, "***")
    said = " ".join(said.split())
    return said if len(said) <= LONGEST_SAID else said[: LONGEST_SAID - 1] + "…"
