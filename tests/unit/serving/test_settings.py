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
        ({"workers": 0}, "workers is 0"),
        ({"max_wait_ms": -1}, "max_wait_ms is -1; give at least 0 .0 is no deadline."),
        ({"max_head_bytes": 10}, "max_head_bytes is 10; give at least 1024"),
        ({"tls_cert": Path("a.pem")}, "tls_cert and tls_key belong together"),
        ({"grpc_port": 0, "workers": 2}, "grpc_port takes one worker"),
    ],
)
def test_a_setting_out_of_range_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        ServerSettings(**change)


def test_every_setting_has_a_flag_that_reaches_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []

    def record(folder: Path, settings: ServerSettings, *, cores: tuple[int, ...], stop_on_stdin_eof: bool) -> int:
        calls.append((folder, settings, cores, stop_on_stdin_eof))
        return 0

    monkeypatch.setattr("serving.__main__.serve", record)
    given = {
        "host": "::1",
        "port": 1,
        "grpc_port": 2,
        "workers": 1,
        "threads": 2,
        "provider": Provider.CPU,
        "max_batch_rows": 3,
        "max_batch_tokens": 11,
        "max_delay_ms": 12,
        "queue_limit_rows": 99,
        "max_wait_ms": 13,
        "max_request_rows": 5,
        "max_body_bytes": 6,
        "max_head_bytes": 2_000,
        "max_connections": 14,
        "read_timeout_s": 15,
        "keep_alive_s": 7,
        "drain_s": 8,
        "tls_cert": Path("cert.pem"),
        "tls_key": Path("key.pem"),
        "api_key_file": Path("keys"),
        "admin_key_file": Path("admins"),
        "model_root": Path("models"),
        "access_log": Path("-"),
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

    assert main(["folder", *words, "--core", "1,3", "--stop-on-stdin-eof"]) == 0
    assert main(["folder"]) == 0

    assert calls == [
        (Path("folder"), ServerSettings(**given), (1, 3), True),
        (Path("folder"), ServerSettings(), (), False),
    ]


def test_a_list_of_cores_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["folder", "--core", "1,x"])

    assert ended.value.code == 2
    assert "'1,x' is no list of cores" in capsys.readouterr().err


def test_a_bad_setting_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["folder", "--threads", "0"]) == 2

    assert capsys.readouterr().err == "threads is 0; give at least 1\n"
