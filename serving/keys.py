"""Who may ask and who may load models: secret keys, from files or the environment."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from serving.errors import ServingError
from serving.settings import ServerSettings, SettingsError

API_VARIABLE = "EVALKIT_API_KEY"
ADMIN_VARIABLE = "EVALKIT_ADMIN_KEY"
_LEAST_CHARS = 16
_BEARER = b"bearer "

RawHeaders = Sequence[tuple[bytes, bytes]]


class KeyMissing(ServingError):
    """A request has no key, or one that is not known."""


class NotAllowed(ServingError):
    """A request asks for what its key does not allow, or what this server does not do at all."""


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """The keys that may ask (none: everybody may) and those that may load models too (none: nobody may)."""

    api: tuple[bytes, ...] = ()
    admin: tuple[bytes, ...] = ()

    def require_api(self, headers: RawHeaders) -> None:
        """Raises KeyMissing where a key is needed and `headers`, in lower case, have none that is known."""
        if self.api and not _is_one_of(given_key(headers), self.api + self.admin):
            raise KeyMissing("this server wants a key: send Authorization: Bearer KEY, or X-Api-Key: KEY")

    def require_admin(self, headers: RawHeaders) -> None:
        """Raises KeyMissing or NotAllowed unless `headers` have a key that may load models."""
        if not self.admin:
            raise NotAllowed("this server loads no models: it was started without --admin-key-file")
        given = given_key(headers)
        if _is_one_of(given, self.admin):
            return
        if _is_one_of(given, self.api):
            raise NotAllowed("this key may not load models; send an admin key")
        raise KeyMissing("loading a model wants an admin key: send Authorization: Bearer KEY, or X-Api-Key: KEY")


def read_keys(settings: ServerSettings, environment: Mapping[str, str]) -> Keys:
    """The keys of a server.

    Raises:
        SettingsError: a file cannot be read or has no key, a key is too short, or keys are given twice.
    """
    return Keys(
        _read(settings.api_key_file, "api_key_file", API_VARIABLE, environment),
        _read(settings.admin_key_file, "admin_key_file", ADMIN_VARIABLE, environment),
    )


def given_key(headers: RawHeaders) -> bytes | None:
    """The key that a request sent; of two headers, the first one."""
    for name, value in headers:
        if name == b"authorization" and value[: len(_BEARER)].lower() == _BEARER:
            return value[len(_BEARER) :].strip()
        if name == b"x-api-key":
            return value.strip()
    return None


def _is_one_of(given: bytes | None, keys: tuple[bytes, ...]) -> bool:
    """In a time that does not depend on how much of a key is right, nor on which one is."""
    return given is not None and any([hmac.compare_digest(given, key) for key in keys])  # noqa: C419


def _read(path: Path | None, name: str, variable: str, environment: Mapping[str, str]) -> tuple[bytes, ...]:
    stated = environment.get(variable)
    if path is None and stated is None:
        return ()
    if path is not None and stated is not None:
        raise SettingsError(f"{name} and the variable {variable} are both given; give one of them")
    lines, where = (_lines(path, name), str(path)) if path is not None else ((stated or "").splitlines(), variable)
    keys = tuple(line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#"))
    if not keys:  # a secret that was not filled in must not open the server
        raise SettingsError(f"{where} has no key; give one a line, or leave it out")
    for key in keys:
        if len(key) < _LEAST_CHARS or not key.isascii() or not key.isprintable():
            raise SettingsError(
                f"a key of {where} has {len(key)} characters; give {_LEAST_CHARS} or more, printable ASCII only"
            )
    return tuple(key.encode() for key in keys)


def _lines(path: Path, name: str) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{name} {path} cannot be read ({error}); give a text file of keys") from error
