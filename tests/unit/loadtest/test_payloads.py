from pathlib import Path

import pytest

from loadtest.payloads import Payload, read_payloads, write_payloads
from loadtest.targets.classify import ClassifyTarget
from loadtest.targets.template import TemplateTarget

CLASSIFY = ClassifyTarget("/v1/classify")


def test_payloads_come_back_as_bodies_with_their_labels(tmp_path: Path) -> None:
    path = tmp_path / "payloads.jsonl"
    write_payloads(path, CLASSIFY, ['say "hi"', "naïve\n"], ["greeting", "other"])
    assert read_payloads(path) == [
        Payload(b'{"texts": ["say \\"hi\\""]}', "greeting"),
        Payload(b'{"texts": ["na\\u00efve\\n"]}', "other"),
    ]


def test_without_expected_labels_there_is_nothing_to_compare(tmp_path: Path) -> None:
    write_payloads(tmp_path / "p", CLASSIFY, ["a"], None)
    assert read_payloads(tmp_path / "p")[0].expected_label is None


def test_a_template_sees_the_row(tmp_path: Path) -> None:
    target = TemplateTarget("/", "{{ lang }}: {{ text }}", None)
    write_payloads(tmp_path / "p", target, ["a", "b"], None, [{"lang": "en"}, {"lang": "de"}])
    assert [payload.body for payload in read_payloads(tmp_path / "p")] == [b"en: a", b"de: b"]


def test_no_text_and_unpaired_labels_or_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="texts is empty"):
        write_payloads(tmp_path / "p", CLASSIFY, [], None)
    with pytest.raises(ValueError, match="2 texts but 1 expected labels"):
        write_payloads(tmp_path / "p", CLASSIFY, ["a", "b"], ["x"])
    with pytest.raises(ValueError, match="2 texts but 1 rows"):
        write_payloads(tmp_path / "p", CLASSIFY, ["a", "b"], None, [{}])
