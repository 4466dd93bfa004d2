"""The server against schemathesis: requests made from its own OpenAPI document, valid and spoiled, all checks on."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.test_serving_server import Server, running

EXAMPLES = 25
SEED = 20_240_607

# A schema cannot say that the shape's product is the number of elements, so valid-looking tensors may be refused.
_UNSTATED_RULES = """
[[operations]]
include-path-regex = "/infer$"
checks.positive_data_acceptance.enabled = false
"""


def schemathesis_run(server: Server, folder: Path, config: str) -> str:
    """The closing summary of a run whose checks all passed."""
    (folder / "schemathesis.toml").write_text(config)
    result = subprocess.run(
        [
            str(Path(sys.executable).parent / "schemathesis"),
            "--config-file",
            str(folder / "schemathesis.toml"),
            "run",
            f"http://{server.ready['host']}:{server.ready['port']}/openapi.json",
            *("--max-examples", str(EXAMPLES), "--seed", str(SEED), "--no-color"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.parametrize("model", ["named", "any"])
def test_every_documented_call_holds_its_contract(tiny_model_folder: Path, tmp_path: Path, model: str) -> None:
    with running(tiny_model_folder) as server:
        named = f'[parameters]\n"path.name" = "tiny"\n"path.version" = "{server.ready["version"]}"\n'
        summary = schemathesis_run(server, tmp_path, (named if model == "named" else "") + _UNSTATED_RULES)
        server.process.terminate()
        assert server.process.wait(timeout=20) == 0
        assert server.process.stderr is not None
        assert "Traceback" not in server.process.stderr.read()

    selected = re.search(r"Selected: (\d+)/(\d+)\n *Tested: (\d+)", summary)
    assert selected is not None, summary
    assert len(set(selected.groups())) == 1
    assert int(selected[1]) >= 11
    generated = re.search(r"(\d+) generated, (\d+) passed", summary)
    assert generated is not None, summary
    assert int(generated[1]) == int(generated[2]) > 300
