"""Whether the capacity that `evalkit capacity` finds is one that MLPerf's LoadGen agrees with.

    pip install -e '.[benchmarks]'
    python benchmarks/capacity.py            # under eight minutes on two quiet cores
    python benchmarks/capacity.py --quick --dry    # three minutes; its figures mean nothing

A 4-layer BERT, 256 wide, behind `python -m serving` on one core; the load comes from another. Three searches for the
highest Poisson rate that keeps p99 ≤ 25 ms, each with seeds of its own, are to lie within 10 % of each other. Then the
referee, which nobody here wrote: LoadGen's Server scenario at 0.8 and at 1.2 times the median of the three. It is to
say VALID and INVALID. Writes benchmarks/history/capacity-DATE.json and prints the same as a table.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)  # its own folder would hide `serving` behind serving.py

    from benchmarks.capacity_bench.main import main

    main(__doc__)
