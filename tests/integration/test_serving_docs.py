"""The examples of docs/serving.md, run against a server."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.serving_process import Server, running

pytestmark = pytest.mark.alone

PAGE = Path(__file__).parents[2] / "docs" / "serving.md"


def examples(language: str, server: Server) -> list[str]:
    """The page's blocks in a language, for this server's port."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [block.replace("127.0.0.1:8080", "{}:{}".format(*server.address)) for block in blocks]


def test_the_curl_examples_answer_what_the_page_says(tiny_model_folder: Path) -> None:
    with running(tiny_model_folder) as server:
        classify, infer = (
            subprocess.run(["bash", "-ec", block], capture_output=True, text=True, check=True, timeout=30).stdout
            for block in examples("bash", server)
        )

    answer = json.loads(classify)
    (shown,) = examples("json", server)
    assert set(answer) <= set(re.findall(r'"(\w+)":', shown))
    assert [row["label"] for row in answer["predictions"]] == ["positive", "negative"]
    metadata, _, inferred = infer.partition("}{")
    assert json.loads(metadata + "}")["parameters"]["labels"] == answer["labels"]
    outputs = json.loads("{" + inferred)
    assert outputs["id"] == "42"
    assert outputs["outputs"] == [
        {"name": "label", "datatype": "BYTES", "shape": [2], "data": ["positive", "negative"]}
    ]


def test_the_client_example_gets_the_labels(tiny_model_folder: Path) -> None:
    with running(tiny_model_folder) as server:
        (code,) = examples("python", server)
        found: dict[str, object] = {}
        exec(compile(code, str(PAGE), "exec"), found)

    assert found["labels"] == [b"positive", b"negative"]
    assert found["probabilities"].shape == (2, 3)  # type: ignore[attr-defined]
