"""The command line of benchmarks/load.py."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks.claims import print_table, write_history
from benchmarks.load_bench.ceiling import ceiling_claims
from benchmarks.load_bench.freeze import freeze_claims
from benchmarks.serving_bench.processes import two_cores

TOOLS = {"nginx": "nginx-light", "wrk": "wrk", "h2load": "nghttp2-client"}
ROUNDS = 3


def main(description: str) -> None:
    """See benchmarks/load.py."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round of short measurements")
    parser.add_argument("--dry", action="store_true", help="write no history")
    parser.add_argument("--only", choices=("ceiling", "freeze"), help="one of the two parts")
    given = parser.parse_args()

    for tool, package in TOOLS.items():
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is not installed; apt-get install {package}")
    server_core, own_core = two_cores()
    rounds, seconds = (1, 2.0) if given.quick else (ROUNDS, 4.0)
    claims = []
    with tempfile.TemporaryDirectory() as folder:
        os.sched_setaffinity(0, {server_core, own_core})
        if given.only != "freeze":
            claims += ceiling_claims(Path(folder), server_core, own_core, rounds, seconds)
        if given.only != "ceiling":
            claims += freeze_claims(Path(folder), server_core, own_core, rounds, 8.0 if given.quick else 20.0)
    print_table(claims)
    if not given.dry:
        print(write_history("load", claims, {tool: version(tool) for tool in TOOLS}))


def version(tool: str) -> str:
    """As the tool itself prints it."""
    flag = "--version" if tool == "h2load" else "-v"
    done = subprocess.run([tool, flag], capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.\d+(\.\d+)?(-\d+)?", done.stdout + done.stderr)
    return found[0] if found else "unknown"
