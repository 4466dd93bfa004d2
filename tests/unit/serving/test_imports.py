"""A server starts without the training stack."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "transformers", "pandas", "onnx", "evalkit", "loadtest", "reports")


def test_the_server_loads_no_torch_and_nothing_of_the_other_rooms() -> None:
    code = f"import sys, serving.app, serving.running; print([m for m in {HEAVY} if m in sys.modules])"

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert result.stdout.strip() == "[]"


def test_the_port_is_taken_before_the_heavy_libraries_are_loaded() -> None:
    heavy = ("onnxruntime", "fastapi", "uvicorn", "numpy")
    code = f"import sys, serving.__main__; print([m for m in {heavy} if m in sys.modules])"

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert result.stdout.strip() == "[]"
