"""What happens to requests, told to whoever keeps the figures."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Told of every step of a request. Called from the event loop; it must not wait."""

    def tokenised(self, seconds: float) -> None:
        """Texts became token ids within so many seconds."""

    def queued(self, seconds: float) -> None:
        """A part of a request waited so long for its batch."""

    def computed(self, seconds: float, rows: int, tokens: int) -> None:
        """A batch of so many rows ran; ``tokens`` counts the padding too."""

    def dropped(self, reason: str, rows: int) -> None:
        """Accepted rows were not computed, because of ``client gone`` or ``deadline passed``."""

    def refused(self, reason: str) -> None:
        """A request was not accepted, because of ``queue full``, ``too late`` or ``draining``."""


class NoObserver:
    """Keeps nothing."""

    def tokenised(self, seconds: float) -> None:
        """Nothing."""

    def queued(self, seconds: float) -> None:
        """Nothing."""

    def computed(self, seconds: float, rows: int, tokens: int) -> None:
        """Nothing."""

    def dropped(self, reason: str, rows: int) -> None:
        """Nothing."""

    def refused(self, reason: str) -> None:
        """Nothing."""
