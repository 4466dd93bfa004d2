"""What a server process is given beside its model and its settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from serving.access_log import AccessLog
from serving.board import Board
from serving.figures import Figures
from serving.keys import Keys
from serving.loads import Loader
from serving.tracing import Tracing


@dataclass(slots=True, kw_only=True)
class Surroundings:
    """As it is, it is that of a lone process that lets everybody in and tells nobody.

    Attributes:
        keys: who may ask and who may load.
        board: the figures of all workers.
        worker: which row of the board is this process's.
        access_log, tracing: where requests are noted, if anywhere.
        folder: the model folder that was named at the start.
        loader: loads a model in all workers; without it in this process.
    """

    keys: Keys = field(default_factory=Keys)
    board: Board = field(default_factory=Board.private)
    worker: int = 0
    access_log: AccessLog | None = None
    tracing: Tracing | None = None
    folder: Path | None = None
    loader: Loader | None = None
    figures: Figures = field(init=False)

    def __post_init__(self) -> None:
        self.figures = Figures(self.board.row(self.worker))

    def close(self) -> None:
        """Write and send what is left."""
        if self.access_log is not None:
            self.access_log.close()
        if self.tracing is not None:
            self.tracing.close()
