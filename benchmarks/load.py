"""What the load generator can do and whether it can be believed, against wrk, h2load and Locust's own client.

    apt-get install nginx-light wrk nghttp2-client
    python benchmarks/load.py                  # about five minutes on two quiet cores
    python benchmarks/load.py --quick --dry    # a minute; its figures mean nothing

The ceiling: nginx answers every request with the same few bytes of JSON on one core, so that a generator on another
core is the limit. wrk, h2load, Locust's FastHttpUser and this generator take turns, three rounds; a claim is the median
of the rounds' values. Then this generator at 70 % of its ceiling. The freeze: a server that works through its queue one
request after the other, with service times known beforehand and a planned pause of a second; the p99 from the intended
send is held against that of the simulated queue (Lindley's recursion), and Locust's closed loop at the same mean rate
is shown beside it. Writes benchmarks/history/load-DATE.json and prints the same as a table.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

    from benchmarks.load_bench.main import main

    main(__doc__)
