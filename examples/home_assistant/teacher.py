"""Fine-tunes the teacher of the voice commands, once: all-MiniLM-L6-v2 on every training row.

    python examples/home_assistant/teacher.py

Needs what prepare.py made. Writes examples/home_assistant/build/teacher; about six minutes on two cores.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from evalkit.students.schedule import Schedule

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import minilm  # noqa: E402
import packages  # noqa: E402

BUILD = HERE / "build"
SCHEDULE = Schedule(epochs=3, learning_rate=3e-4, batch_rows=32, max_length=32, seed=1)


def main() -> int:
    folder = BUILD / "teacher"
    if folder.is_dir():
        print(f"teacher: already in {folder}")
        return 0
    if not (BUILD / "train.parquet").is_file():
        print("error: build/train.parquet is missing; run examples/home_assistant/prepare.py first", file=sys.stderr)
        return 2
    train = pd.read_parquet(BUILD / "train.parquet")
    try:
        encoder = minilm.encoder_folder(BUILD / "sources")
    except packages.SourceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    names = sorted(train["intent"].unique())
    minilm.fine_tune(encoder, train["text"].tolist(), train["intent"].tolist(), names, SCHEDULE, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
