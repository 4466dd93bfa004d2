"""The answers of an API teacher, kept in SQLite: one row an answer, committed at once; failures are never kept."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from evalkit.teachers.errors import AnswersUnwritable

Alternatives = tuple[tuple[str, tuple[tuple[str, float], ...]], ...]
"""Token by token: the token that was chosen, and (token, log-probability) of those that were listed for its place."""

_TABLE = """
CREATE TABLE IF NOT EXISTS answers (
  key BLOB PRIMARY KEY, sample INTEGER NOT NULL, text TEXT NOT NULL, finish_reason TEXT NOT NULL,
  model TEXT NOT NULL, input_tokens INTEGER, output_tokens INTEGER, usd REAL, latency_ms REAL NOT NULL, tokens TEXT,
  answered_at REAL NOT NULL
) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the API answered to one question, as it said it. Token counts are None where it gave no usage, ``usd``
    where no prices are stated, and ``tokens`` where no probabilities were asked for."""

    text: str
    finish_reason: str
    model: str
    input_tokens: int | None
    output_tokens: int | None
    usd: float | None
    latency_ms: float
    tokens: Alternatives | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What of some wanted answers is there already."""

    keys: frozenset[bytes]
    usd: float


class AnswerStore:
    """Answers by the key of their question. Raises AnswersUnwritable where the file cannot be opened or written.

    The journal is a write-ahead log that is not forced to the disk at each commit: an answer that was kept survives a
    killed process, and the last ones may be lost, and asked again, when the machine itself stops.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._writing():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=30, isolation_level=None)
            try:
                self._database.execute("PRAGMA journal_mode=WAL")
                self._database.execute("PRAGMA synchronous=NORMAL")
                self._database.execute(_TABLE)
            except sqlite3.Error:
                self._database.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def keep(self, key: bytes, sample: int, answer: Answer) -> None:
        """Writes one answer and commits it. One that is there already stays."""
        tokens = None if answer.tokens is None else json.dumps(answer.tokens, ensure_ascii=False)
        row = (
            key, sample, answer.text, answer.finish_reason, answer.model, answer.input_tokens, answer.output_tokens,
            answer.usd, answer.latency_ms, tokens, time.time(),
        )  # fmt: skip
        with self._writing():
            self._database.execute("INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def answer(self, key: bytes) -> Answer | None:
        """The answer under ``key``."""
        row = self._database.execute(
            "SELECT text, finish_reason, model, input_tokens, output_tokens, usd, latency_ms, tokens FROM answers "
            "WHERE key = ?",
            (key,),
        ).fetchone()
        if row is None:
            return None
        return Answer(
            text=row[0], finish_reason=row[1], model=row[2], input_tokens=row[3], output_tokens=row[4], usd=row[5],
            latency_ms=row[6], tokens=_alternatives(row[7]),
        )  # fmt: skip

    def kept(self, wanted: Iterable[bytes]) -> Kept:
        """Which of the ``wanted`` keys have an answer, and what those cost; each counts once."""
        found, usd = set(), 0.0
        for key in wanted:
            row = None if key in found else self._database.execute("SELECT usd FROM answers WHERE key = ?", (key,))
            price = None if row is None else row.fetchone()
            if price is not None:
                found.add(key)
                usd += price[0] or 0.0
        return Kept(keys=frozenset(found), usd=usd)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise AnswersUnwritable(
                f"the teacher's answers cannot be written to {self._path} ({error}); is the disk full or read-only? "
                "What was committed is kept; make room and run again"
            ) from error


def _alternatives(text: str | None) -> Alternatives | None:
    if text is None:
        return None
    return tuple((token, tuple((other, float(log)) for other, log in listed)) for token, listed in json.loads(text))
