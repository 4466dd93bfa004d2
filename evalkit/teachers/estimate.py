"""What a labelling run would ask and cost, before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.spec.teacher_api import TeacherApi
from evalkit.teachers.asking import Missing
from evalkit.teachers.budget import TYPICAL_BYTES_PER_TOKEN, most_input_tokens, usd_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """``requests`` to send, each once. About: four bytes of the messages are a token, as in English, and an answer
    fills all of max_tokens; most: every byte is a token. ``usd`` is None where no prices are stated."""

    wanted: int
    found: int
    requests: int
    about_input_tokens: int
    most_input_tokens: int
    most_output_tokens: int
    about_usd: float | None
    most_usd: float | None


def estimate(api: TeacherApi, wanted: Missing) -> Estimate:
    """The requests, tokens and price of what is missing, without retries."""
    most = sum(most_input_tokens(question.body) for question in wanted)
    about, output = most // TYPICAL_BYTES_PER_TOKEN, len(wanted.places) * api.max_tokens
    return Estimate(
        wanted=wanted.tally.wanted,
        found=wanted.tally.found,
        requests=len(wanted.places),
        about_input_tokens=about,
        most_input_tokens=most,
        most_output_tokens=output,
        about_usd=usd_of(api.prices, about, output),
        most_usd=usd_of(api.prices, most, output),
    )
