"""The teacher's probabilities, kept in SQLite by content: no text is asked twice, however often a run is killed."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from evalkit.disk import written

Answer = Callable[[int, NDArray[np.float32]], None]
Ask = Callable[[Sequence[Sequence[str]], Answer], None]
"""Takes batches of texts, and gives the number of each batch and its probabilities [texts, labels], in any order, as
they come."""

BATCH_TEXTS = 256
_TABLE = (
    "CREATE TABLE IF NOT EXISTS outputs (teacher TEXT NOT NULL, text_sha256 BLOB NOT NULL, "
    "probabilities BLOB NOT NULL, PRIMARY KEY (teacher, text_sha256)) WITHOUT ROWID"
)


class OutputStore:
    """Rows keyed by (teacher version, sha256 of the text); each batch is committed at once. Raises StageError where the
    file cannot be written; what was committed is kept."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with written(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=30)
            try:
                self._database.execute("PRAGMA journal_mode=WAL")
                self._database.execute(_TABLE)
            except sqlite3.Error:
                self._database.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def probabilities(
        self, teacher: str, texts: Sequence[str], ask: Ask, on_progress: Callable[[int, int], None]
    ) -> NDArray[np.float32]:
        """Probabilities [texts, labels] in the order of ``texts``; ``ask`` sees each missing text once."""
        keys = [hashlib.sha256(text.encode()).digest() for text in texts]
        wanted = dict(zip(keys, texts, strict=True))
        known = self._known(teacher, wanted)
        missing = sorted((key for key in wanted if key not in known), key=lambda key: len(wanted[key]))
        batches = [missing[start : start + BATCH_TEXTS] for start in range(0, len(missing), BATCH_TEXTS)]
        done = 0

        def keep(at: int, answers: NDArray[np.float32]) -> None:
            nonlocal done
            known.update(zip(batches[at], answers, strict=True))
            self._keep(teacher, batches[at], answers)
            done += len(batches[at])
            on_progress(done, len(missing))

        ask([[wanted[key] for key in batch] for batch in batches], keep)
        return np.stack([known[key] for key in keys])

    def _known(self, teacher: str, wanted: dict[bytes, str]) -> dict[bytes, NDArray[np.float32]]:
        rows = self._database.execute("SELECT text_sha256, probabilities FROM outputs WHERE teacher = ?", (teacher,))
        return {key: np.frombuffer(answer, dtype="<f4") for key, answer in rows if key in wanted}

    def _keep(self, teacher: str, keys: Sequence[bytes], answers: NDArray[np.float32]) -> None:
        with written(self._path), self._database:
            self._database.executemany(
                "INSERT OR IGNORE INTO outputs VALUES (?, ?, ?)",
                [(teacher, key, answer.astype("<f4").tobytes()) for key, answer in zip(keys, answers, strict=True)],
            )
