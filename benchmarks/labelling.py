"""A hundred thousand prompts to an API that fails 2 % of its requests: nothing lost, none asked twice, memory flat.

    python benchmarks/labelling.py             # about four minutes on two cores
    python benchmarks/labelling.py --prompts 5000 --dry

The server (`benchmarks/labelling_bench/faulty_api.py`) runs in a process of its own and answers after 5 ms. Two of a
hundred requests meet a fault: 429 with Retry-After, 500, no answer until the time-out, JSON that is cut short, a
connection that is dropped. The server counts what it is asked; the store is read afterwards, text by text. Memory is
the resident size of the labelling process from the first tenth of the answers to the last. Writes
benchmarks/history/labelling-DATE.json, and with --dry only prints.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

    from benchmarks.labelling_bench.main import main

    main(__doc__)
