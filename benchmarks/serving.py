"""How fast and how steadily the server serves, against raw ONNX Runtime and against other servers.

    apt-get install wrk                           # the closed-loop clients
    python benchmarks/serving.py                  # about ten minutes on two quiet cores; installs the peers at first
    python benchmarks/serving.py --overload       # two minutes: 1.5 times the maximum alone
    python benchmarks/serving.py --soak           # twelve minutes: ten of them at 80 % load
    python benchmarks/serving.py --million        # a million requests, eight minutes or so
    python benchmarks/serving.py --quick --dry    # a minute; its figures mean nothing

One small classifier (2-layer BERT, 128 wide, texts of about 32 tokens) behind `python -m serving` and behind PyTriton,
LitServe and MLServer, which benchmarks/peers/ pins, starts and tunes. Every server has one core and the generator has
another. Everything is measured in turns, three rounds, and a claim is the median of the rounds' ratios. 16 clients are
closed loop (wrk); tails are open loop (Poisson arrivals, latency from the intended send time). Writes
benchmarks/history/serving-DATE.json (serving-soak-…, and so on) and prints the same as a table.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)  # its own folder would hide `serving` behind this file

    from benchmarks.serving_bench.main import main

    main(__doc__)
