"""What an NVIDIA GPU makes of the student: parity in fp16, throughput and p99, against ONNX Runtime alone and torch.

    make gpu-check                  # or: python benchmarks/gpu.py, about four minutes
    python benchmarks/gpu.py --dry  # write no history

Needs an NVIDIA GPU with onnxruntime-gpu's CUDA libraries; anywhere else it says so in one line and measures nothing.
torch eager and torch.compile need a CUDA build of torch; without one their claims are void. One classifier (6-layer
BERT, 384 wide, random weights, texts of about 32 tokens) at batches of 1, 8, 32 and 128, all ways in turns, three
rounds. Every way starts from token ids in the computer's memory and ends with logits there. Writes
benchmarks/history/gpu-DATE.json and prints the same as a table.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # Its own folder would hide the package `serving` behind benchmarks/serving.py
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

    from benchmarks.gpu_bench.main import main

    main(__doc__)
