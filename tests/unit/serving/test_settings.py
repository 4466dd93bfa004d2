"""Settings are checked where they are made, and the command line names every one of them."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from serving.__main__ import main
from serving.provider import Provider
from serving.settings import ServerSettings, SettingsError


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"port": 70_000}, "port is 70000"),
        ({"port": -1}, "port is -1"),
        ({"threads": 0}, "threads is 0"),
        ({"max_batch_rows": 0}, "max_batch_rows is 0"),
        ({"drain_s": 0}, "drain_s is 0"),
        ({"queue_limit_rows": 10, "max_request_rows": 11}, "would always be refused"),
    ],
)
def test_a_setting_out_of_range_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        ServerSettings(**change)


def test_every_setting_has_a_flag_that_reaches_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []

    def record(folder: Path, settings: ServerSettings, *, core: int | None, stop_on_stdin_eof: bool) -> int:
        calls.append((folder, settings, core, stop_on_stdin_eof))
        return 0

    monkeypatch.setattr("serving.__main__.serve", record)
    given = {
        "host": "::1",
        "port": 1,
        "threads": 2,
        "provider": Provider.CPU,
        "max_batch_rows": 3,
        "queue_limit_rows": 99,
        "max_request_rows": 5,
        "max_body_bytes": 6,
        "keep_alive_s": 7,
        "drain_s": 8,
    }
    assert given.keys() == {field.name for field in fields(ServerSettings)}
    words = [
        word
        for name, value in given.items()
        for word in (
            "--" + name.replace("_", "-"),
            value.value if isinstance(value, Provider) else str(value),
        )
    ]

    assert main(["folder", *words, "--core", "1", "--stop-on-stdin-eof"]) == 0
    assert main(["folder"]) == 0

    assert calls == [
        (Path("folder"), ServerSettings(**given), 1, True),
        (Path("folder"), ServerSettings(), None, False),
    ]


def test_a_bad_setting_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["folder", "--threads", "0"]) == 2

    assert capsys.readouterr().err == "threads is 0; give at least 1\n"
