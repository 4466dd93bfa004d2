"""The server against schemathesis: requests made from its own OpenAPI document, valid and spoiled, all checks on."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from serving.keys import API_VARIABLE
from tests.serving_process import Server, running

EXAMPLES = 25
SEED = 20_240_607

# A schema cannot say that the shape's product is the number of elements, so valid-looking tensors may be refused. A
# deadline of a microsecond rightly ends in 504. And a header that a server does not know is none of its business,
# while schemathesis wants it refused.
_UNSTATED_RULES = """
[generation]
allow-extra-parameters = false

[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", "504"]

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


@pytest.mark.slow
@pytest.mark.parametrize("model", ["named", "any"])
def test_every_documented_call_holds_its_contract(tiny_model_folder: Path, tmp_path: Path, model: str) -> None:
    """Once with the names that exist, and once with any, on a server that wants a key."""
    key = "schemathesis-may-ask"
    environment = {} if model == "named" else {API_VARIABLE: key}
    with running(tiny_model_folder, environment=environment) as server:
        named = f'[parameters]\n"path.name" = "tiny"\n"path.version" = "{server.ready["version"]}"\n'
        keyed = f'headers = {{ Authorization = "Bearer {key}" }}\n'
        summary = schemathesis_run(server, tmp_path, (named if model == "named" else keyed) + _UNSTATED_RULES)
        assert server.stop() == (0, "")

    selected = re.search(r"Selected: (\d+)/(\d+)\n *Tested: (\d+)", summary)
    assert selected is not None, summary
    assert len(set(selected.groups())) == 1
    assert int(selected[1]) >= 14
    generated = re.search(r"(\d+) generated, (\d+) passed", summary)
    assert generated is not None, summary
    assert int(generated[1]) == int(generated[2]) > 300
