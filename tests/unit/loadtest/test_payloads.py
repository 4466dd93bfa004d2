import json
from pathlib import Path

import pytest

from loadtest.payloads import Payload, answered_label, read_payloads, write_payloads


def test_payloads_come_back_as_request_bodies_with_their_labels(tmp_path: Path) -> None:
    path = tmp_path / "payloads.jsonl"
    write_payloads(path, ["pay\nrent", "grüß"], ["billing", "other"])
    first, second = read_payloads(path)
    assert json.loads(first.body) == {"texts": ["pay\nrent"]}
    assert json.loads(second.body) == {"texts": ["grüß"]}
    assert (first.expected_label, second.expected_label) == ("billing", "other")


def test_labels_may_be_unknown(tmp_path: Path) -> None:
    path = tmp_path / "payloads.jsonl"
    write_payloads(path, ["a"], None)
    assert read_payloads(path) == [Payload(b'{"texts": ["a"]}', None)]


def test_payloads_need_texts_and_one_label_each(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="texts is empty"):
        write_payloads(tmp_path / "p", [], None)
    with pytest.raises(ValueError, match="2 texts but 1 expected labels"):
        write_payloads(tmp_path / "p", ["a", "b"], ["x"])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b'{"predictions": []}',
        b'{"predictions": [{}]}',
        b'{"predictions": [{"label": 3}]}',
        b'{"predictions": [{"label": "a"}, {"label": "b"}]}',
        b"\xff\xfe",
    ],
)
def test_what_is_no_answer_to_one_text_has_no_label(content: bytes) -> None:
    assert answered_label(content) is None
