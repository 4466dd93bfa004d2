"""A teacher behind an OpenAI-compatible HTTP API: how it is asked, what that may cost, and what its terms permit."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from evalkit.spec.section import Section, Stated

Price = Annotated[float, Field(ge=0)]
DEFAULT_KEY = "OPENAI_API_KEY"


def _yes_or_no(value: Any) -> Any:
    """YAML reads yes and no as true and false."""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


class ApiPrices(Section):
    """The API's price list."""

    usd_per_million_input: Price
    usd_per_million_output: Price


class ApiBudget(Section):
    """What the labelling may use at most. It stops before either is exceeded; answers that are already kept count."""

    requests: Annotated[int, Field(ge=1)] | None = None
    """Requests that are sent, those that failed among them."""
    usd: Annotated[float, Field(gt=0)] | None = None
    """Needs prices."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.requests is None and self.usd is None:
            raise ValueError("give requests, usd or both, or leave budget out")
        return self


class SoftLabels(Section):
    """How training texts get a share for each label instead of one answer."""

    source: Literal["top_logprobs", "samples"]
    """top_logprobs: from the probabilities that the API gives for its first tokens; what it does not list is kept as
    missing mass. samples: from several answers to each text."""
    top: Annotated[int, Field(ge=1, le=20)] = 20
    """top_logprobs: alternatives asked for at each token."""
    samples: Annotated[int, Field(ge=2, le=1000)] = 5
    """samples: answers to each text."""
    alpha: Annotated[float, Field(gt=0, le=100)] = 0.5
    """samples: added to each label's count, so that no share is 0."""
    temperature: Annotated[float, Field(gt=0, le=2)] = 1.0
    """samples: of the training answers; the held-out answers keep the teacher's own."""
    least_listed: Annotated[float, Field(gt=0, le=1)] = 0.9
    """top_logprobs: a training text teaches a student where at least this share of what may be a label's mass is
    listed, listed ÷ (listed + missing). Over the labels alone, no probability is then further off than 1 − this."""


class TeacherApi(Section):
    """A chat model that answers each text with one label."""

    base_url: Annotated[str, Field(pattern=r"^https?://\S+$")]
    """Up to and with /v1, e.g. http://127.0.0.1:8000/v1."""
    model: Stated
    revision: str = ""
    """Whatever else names the model's version, e.g. a date. Another revision is asked anew."""
    key_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] = DEFAULT_KEY
    """The environment variable that holds the key. The key itself never stands in this file."""
    instruction: Stated | None = None
    """The system message; by default it names the labels and asks for one of them alone."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    max_tokens: Annotated[int, Field(ge=1, le=4096)] = 16
    """Tokens of an answer at most."""
    extra: dict[str, Any] = Field(default_factory=dict)
    """More keys of the request's body, e.g. the server's own way to constrain an answer to the labels."""
    soft: SoftLabels | None = None
    outside: Literal["wrong", "refuse"] = "wrong"
    """A held-out answer that is none of the labels: counted as a wrong answer of the teacher, or the gate refuses."""
    concurrency: Annotated[int, Field(ge=1, le=1024)] = 16
    """Requests under way at once."""
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    attempts: Annotated[int, Field(ge=1, le=100)] = 6
    """How often a request is sent at most, when the API is busy or breaks."""
    prices: ApiPrices | None = None
    budget: ApiBudget | None = None

    @model_validator(mode="after")
    def _money_needs_prices(self) -> Self:
        if self.budget is not None and self.budget.usd is not None and self.prices is None:
            raise ValueError("budget.usd needs prices; give usd_per_million_input and usd_per_million_output")
        return self

    @model_validator(mode="after")
    def _extra_keys_are_extra(self) -> Self:
        own = {"model", "messages", "temperature", "max_tokens", "logprobs", "top_logprobs", "n", "stream"}
        taken = sorted(own & self.extra.keys())
        if taken:
            raise ValueError(f"extra names {taken[0]}, which is set elsewhere; remove it from extra")
        return self


class Terms(Section):
    """What the provider's terms of use say about training another model on its answers."""

    provider: Stated
    url: Annotated[str, Field(pattern=r"^https?://\S+$")]
    read_on: datetime.date
    permits_training: Annotated[Literal["yes", "no", "unresolved"], BeforeValidator(_yes_or_no)]
    """no and unresolved keep the student from being exported, unless override_reason says why it may be."""
    override_reason: Stated | None = None
    """Why it is exported all the same; it stands on the report's first page."""

    @model_validator(mode="after")
    def _nothing_to_override(self) -> Self:
        if self.permits_training == "yes" and self.override_reason is not None:
            raise ValueError("override_reason is given, but permits_training is yes; remove it")
        return self
