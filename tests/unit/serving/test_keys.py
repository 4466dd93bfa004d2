"""Who may ask and who may load models."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.keys import KeyMissing, Keys, NotAllowed, read_keys
from serving.settings import ServerSettings, SettingsError

API, NEXT, ADMIN = "an-api-key-of-20-chars", "the-api-key-to-come-next", "an-admin-key-of-22-chars"
KEYS = Keys((API.encode(), NEXT.encode()), (ADMIN.encode(),))


def bearer(key: str) -> list[tuple[bytes, bytes]]:
    return [(b"host", b"x"), (b"authorization", f"Bearer {key}".encode())]


@pytest.mark.parametrize("key", [API, NEXT, ADMIN])
def test_every_key_may_ask_in_either_header(key: str) -> None:
    KEYS.require_api(bearer(key))
    KEYS.require_api([(b"authorization", f"bearer  {key} ".encode())])
    KEYS.require_api([(b"x-api-key", key.encode())])


@pytest.mark.parametrize(
    "headers",
    [
        [],
        bearer(""),
        bearer(API[:-1]),
        bearer(API + "x"),
        [(b"authorization", f"Basic {API}".encode())],
        [(b"authorization", API.encode())],
        [(b"cookie", API.encode())],
        [(b"x-api-key", b"wrong"), (b"x-api-key", API.encode())],
    ],
)
def test_no_other_key_may_ask(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(KeyMissing, match="wants a key"):
        KEYS.require_api(headers)


def test_without_keys_everybody_may_ask_and_nobody_may_load() -> None:
    Keys().require_api([])
    for headers in ([], bearer(ADMIN)):
        with pytest.raises(NotAllowed, match="started without --admin-key-file"):
            Keys().require_admin(headers)


def test_only_an_admin_key_may_load() -> None:
    KEYS.require_admin(bearer(ADMIN))
    with pytest.raises(NotAllowed, match="this key may not load models"):
        KEYS.require_admin(bearer(API))
    for headers in ([], bearer("wrong")):
        with pytest.raises(KeyMissing, match="wants an admin key"):
            KEYS.require_admin(headers)


def test_keys_come_from_files_one_a_line_or_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# of the web shop\n{API}\n\n  {NEXT}  \n")
    settings = ServerSettings(api_key_file=file)

    assert read_keys(settings, {"EVALKIT_ADMIN_KEY": ADMIN}) == KEYS
    assert read_keys(ServerSettings(), {}) == Keys()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "has no key"),
        ("# none yet\n", "has no key"),
        ("short\n", "has 5 characters; give 16 or more"),
        ("ключ-из-двадцати-букв\n", "printable ASCII only"),
    ],
)
def test_a_key_file_without_a_good_key_is_refused(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "keys"
    file.write_text(content)

    with pytest.raises(SettingsError, match=message):
        read_keys(ServerSettings(api_key_file=file), {})


def test_a_secret_that_was_not_filled_in_does_not_open_the_server() -> None:
    with pytest.raises(SettingsError, match="EVALKIT_API_KEY has no key"):
        read_keys(ServerSettings(), {"EVALKIT_API_KEY": ""})


def test_a_key_file_that_is_missing_or_given_beside_the_variable_is_refused(tmp_path: Path) -> None:
    settings = ServerSettings(admin_key_file=tmp_path / "none")

    with pytest.raises(SettingsError, match=r"admin_key_file .* cannot be read"):
        read_keys(settings, {})
    with pytest.raises(SettingsError, match="admin_key_file and the variable EVALKIT_ADMIN_KEY are both given"):
        read_keys(settings, {"EVALKIT_ADMIN_KEY": ADMIN})


def test_keys_do_not_show_in_a_log() -> None:
    assert API not in repr(KEYS)
