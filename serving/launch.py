"""What a supervisor tells a worker process at its start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from serving.keys import Keys
from serving.settings import ServerSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One worker: pickled to its standard input by the process that starts it.

    Attributes:
        folder, settings, keys: as the supervisor has them; the folder is the one that is served now.
        version: what the folder must hold, so that no worker answers otherwise than the others; None: whatever it is.
        index: which worker it is, and so its row of the board.
        core: processor to pin it to.
        control, connections, board: descriptors that it inherits: the line to the supervisor, the socket over which
            it is handed connections, and the shared figures.
    """

    folder: Path
    settings: ServerSettings
    keys: Keys
    version: str | None
    index: int
    core: int | None
    control: int
    connections: int
    board: int
