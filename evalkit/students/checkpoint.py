"""Checkpoints of a training: written whole or not at all, the last two kept, opened without running code."""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from evalkit.errors import StageError

KEPT = 2
UNFINISHED = ".unfinished"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoints:
    """A folder of checkpoints of one training; ``fingerprint`` says which.

    FOLDER/step-00001234.pt    everything that the rest of the training depends on, after that step
    """

    folder: Path
    fingerprint: str

    def write(self, step: int, state: dict[str, Any]) -> None:
        """Raises StageError where the disk does not take it; what was written before stays as it is."""
        path = self.folder / f"step-{step:08d}.pt"
        unfinished = path.with_suffix(UNFINISHED)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with unfinished.open("wb") as file:
                torch.save({"fingerprint": self.fingerprint, **state}, file)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
            self._remove_older()
        except (OSError, RuntimeError) as error:  # torch's writer raises RuntimeError where the disk is full
            _discard(unfinished)
            raise StageError(
                f"checkpoint {path} could not be written ({_reason(error)}); is the disk full or read-only? Make room "
                "and start again: it goes on from the checkpoint before"
            ) from error

    def latest(self) -> dict[str, Any] | None:
        """The newest checkpoint that can be read; None where there is none.

        Raises StageError where it belongs to another training, or where no checkpoint can be read.
        """
        found = self._all()
        for path in reversed(found):
            state = _opened(path)
            if state is None:
                continue
            if state["fingerprint"] != self.fingerprint:
                raise StageError(f"checkpoint {path} is of another training; remove {self.folder} and start again")
            return state
        if found:
            raise StageError(f"no checkpoint in {self.folder} can be read; remove the folder and start again")
        return None

    def _all(self) -> list[Path]:
        return sorted(self.folder.glob("step-*.pt"))

    def _remove_older(self) -> None:
        for path in self._all()[:-KEPT]:
            path.unlink()


def _opened(path: Path) -> dict[str, Any] | None:
    """None where the file is damaged: the one before leads to the same weights."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, KeyError, ValueError, pickle.UnpicklingError):
        return None
    return state


def _discard(path: Path) -> None:
    path.unlink(missing_ok=True)


def _reason(error: BaseException) -> str:
    """What the system said, also where torch's own error hides it."""
    at: BaseException | None = error
    while at is not None:
        if isinstance(at, OSError) and at.strerror:
            return at.strerror
        at = at.__cause__ or at.__context__
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
