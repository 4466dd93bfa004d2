"""What each kind of distillation gains over hard labels, and how fast training is against a plain Trainer.

    python examples/channel_sentiment/prepare.py    # once: texts rated by humans, and the teacher
    python benchmarks/distillation.py               # about ten minutes on two quiet cores
    python benchmarks/distillation.py --rows 400 --seeds 1 --epochs 1 --held-out 400 --dry    # its figures mean nothing

On the texts of examples/channel_sentiment. The student is a named size from scratch that starts with the teacher's
projected embeddings. The control is the same student, start and number of steps on the true labels, which about half of
the training rows have; the kinds learn from all rows, since the teacher has answered them all. One more learns from
the labelled rows alone, to tell the teacher's answers from the rows that nobody else labelled. A gain is the mean over
seeds of the difference in held-out accuracy; its interval counts both the chance of the training and that of the
held-out rows. The teacher and TF-IDF + logistic regression on the same labels stand beside. The last claim is training
rows per second on hard labels, in turns with Hugging Face's Trainer as it comes. Writes
benchmarks/history/distillation-DATE.json and prints the same as a table; what misses its target is printed as missed.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

    from benchmarks.distillation_bench.main import main

    sys.exit(main(__doc__))
