"""Many questions to an API teacher: several under way at once, each answer kept as it comes, none asked twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from evalkit.spec.teacher_api import TeacherApi
from evalkit.teachers.answers import Answer, AnswerStore
from evalkit.teachers.api import ApiTeacher
from evalkit.teachers.budget import Ledger, most_usd
from evalkit.teachers.errors import Incomplete, LabellingError, TeacherUnreachable
from evalkit.teachers.failures import Again, TextRefused
from evalkit.teachers.request import Prompt, Question
from evalkit.teachers.retrying import LONGEST_RETRY_AFTER_S, wait_s

FUSE = 16
"""So many questions given up, one after the other, end the run."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """What one labelling run did. ``wanted`` counts questions, with those that stand there several times; ``distinct``
    counts each once, and ``found`` those whose answer was kept by an earlier run."""

    wanted: int
    distinct: int
    found: int
    sent: int = 0
    answered: int = 0
    empty: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0
    """Of this run and of the answers found, with what was perhaps charged for answers that never came."""
    repeated: dict[str, int] = field(default_factory=dict)
    """Requests that were sent again, by why."""
    refused: dict[str, int] = field(default_factory=dict)
    """Questions that the API will never answer, by why."""
    given_up: dict[str, int] = field(default_factory=dict)
    """Questions without an answer after all attempts, by the last reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """The questions that have no answer yet, each once, in the order of the texts."""

    prompt: Prompt
    texts: Sequence[str]
    places: Sequence[tuple[int, int]]
    """(text, sample)."""
    tally: Tally

    def __iter__(self) -> Iterator[Question]:
        return (self.prompt.question(self.texts[text], sample) for text, sample in self.places)


def missing(store: AnswerStore | None, prompt: Prompt, texts: Sequence[str], samples: int) -> Missing:
    """What is still to be asked of ``texts`` × ``samples``; without a store, all of it."""
    first: dict[bytes, tuple[int, int]] = {}
    for text in range(len(texts)):
        for sample in range(samples):
            first.setdefault(prompt.key(prompt.question(texts[text], sample)), (text, sample))
    kept = None if store is None else store.kept(first)
    places = [place for key, place in first.items() if kept is None or key not in kept.keys]
    tally = Tally(
        wanted=len(texts) * samples,
        distinct=len(first),
        found=len(first) - len(places),
        usd=0.0 if kept is None else kept.usd,
    )
    return Missing(prompt=prompt, texts=texts, places=places, tally=tally)


def ask_all(
    api: TeacherApi,
    store: AnswerStore,
    wanted: Missing,
    rng: np.random.Generator,
    on_progress: Callable[[int, int], None],
) -> Tally:
    """Asks what is missing and keeps every answer at once.

    Where it must stop, the requests under way are waited for and kept first. Raises the LabellingError that stopped
    it, and Incomplete where questions were given up; those that the API will never answer are only counted."""
    asker = _Asker(api, store, wanted, rng, on_progress)
    asyncio.run(asker.run())
    tally = wanted.tally
    if asker.stopped is not None:
        raise asker.stopped
    if tally.given_up:
        why = ", ".join(f"{count:,} × {kind}" for kind, count in tally.given_up.items())
        raise Incomplete(
            f"{sum(tally.given_up.values()):,} questions have no answer after {api.attempts} attempts each ({why}); "
            "run again: only these are asked"
        )
    return tally


class _Asker:
    """The workers that share one iterator of questions."""

    def __init__(
        self,
        api: TeacherApi,
        store: AnswerStore,
        wanted: Missing,
        rng: np.random.Generator,
        on_progress: Callable[[int, int], None],
    ) -> None:
        self._api, self._store, self._wanted, self._rng = api, store, wanted, rng
        self._on_progress = on_progress
        self._tally = wanted.tally
        self._ledger = Ledger(api.budget, self._tally.found, self._tally.usd)
        self._in_a_row = 0
        self.stopped: LabellingError | None = None

    async def run(self) -> None:
        if not self._wanted.places:
            return
        questions = iter(self._wanted)
        async with ApiTeacher(self._api) as teacher:
            workers = min(self._api.concurrency, len(self._wanted.places))
            await asyncio.gather(*(self._work(teacher, questions) for _ in range(workers)))
        self._tally.usd = self._ledger.usd

    async def _work(self, teacher: ApiTeacher, questions: Iterable[Question]) -> None:
        for question in questions:
            try:
                await self._answered(teacher, question)
            except LabellingError as error:
                self.stopped = self.stopped or error
            if self.stopped is not None:
                return

    async def _answered(self, teacher: ApiTeacher, question: Question) -> None:
        """Asks one question until it is answered, refused or given up, or until the run stops."""
        for attempt in range(1, self._api.attempts + 1):
            if self.stopped is not None:
                return
            try:
                answer = await self._sent(teacher, question)
            except TextRefused as refused:
                _add(self._tally.refused, refused.kind)
                return
            except Again as again:
                await self._later(again, attempt)
                continue
            self._keep(question, answer)
            return

    async def _sent(self, teacher: ApiTeacher, question: Question) -> Answer:
        most = most_usd(self._api.prices, question.body)
        await self._ledger.reserve(most)
        self._tally.sent += 1
        usd = 0.0
        try:
            answer = await teacher.ask(question)
            usd = most if answer.usd is None else answer.usd
        except Again as again:
            usd = most if again.may_be_billed else 0.0
            raise
        finally:
            await self._ledger.settle(most, usd)
        return answer

    async def _later(self, again: Again, attempt: int) -> None:
        """Waits before the next attempt, or gives the question up after the last one."""
        if (again.retry_after_s or 0.0) > LONGEST_RETRY_AFTER_S:
            raise TeacherUnreachable(
                f"{self._api.base_url} asks to wait {again.retry_after_s:,.0f} s ({again.kind}); run again then: what "
                "was answered is kept"
            )
        if attempt < self._api.attempts:
            _add(self._tally.repeated, again.kind)
            await asyncio.sleep(wait_s(attempt, again.retry_after_s, self._rng))
            return
        _add(self._tally.given_up, again.kind)
        self._in_a_row += 1
        if self._in_a_row >= FUSE:
            raise TeacherUnreachable(
                f"{self._api.base_url} left {self._in_a_row} questions in a row without an answer, "
                f"{self._api.attempts} attempts each ({again.kind}); see whether it is up, and run again: "
                "what was answered is kept"
            )

    def _keep(self, question: Question, answer: Answer) -> None:
        self._store.keep(self._wanted.prompt.key(question), question.sample, answer)
        tally = self._tally
        self._in_a_row = 0
        tally.answered += 1
        tally.empty += not answer.text.strip()
        tally.input_tokens += answer.input_tokens or 0
        tally.output_tokens += answer.output_tokens or 0
        self._on_progress(tally.answered, len(self._wanted.places))


def _add(counts: dict[str, int], kind: str) -> None:
    counts[kind] = counts.get(kind, 0) + 1
