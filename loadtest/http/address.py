"""Where the server is, found once: no request of a run waits for a name server."""

from __future__ import annotations

import os
import socket
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from gevent import monkey

from loadtest.errors import InputError
from loadtest.targets.plan import TargetPlan
from loadtest.targets.target import Target

PROBE_S = 2.0
# Importing Locust puts gevent's sockets in the place of the system's own, which are what is wanted here.
NativeSocket: Any = monkey.get_original("socket", "socket")


@dataclass(frozen=True, slots=True)
class Address:
    """A socket address, and what TLS needs when the url says https."""

    family: int
    place: Any
    host: str
    context: ssl.SSLContext | None


def address_of(url: str, ca_file: str | None = None) -> Address:
    """The first of the host's addresses that listens; the first of all where none does.

    Raises:
        InputError: when the name is not known, or the certificates cannot be read.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise InputError(f"host {host} has no address ({error.strerror}); give one that can be found") from error
    listening = (each for each in found if len(found) == 1 or _listens(each[0], each[4]))
    family, _, _, _, place = next(listening, found[0])
    try:
        context = ssl.create_default_context(cafile=ca_file) if parts.scheme == "https" else None
    except OSError as error:
        raise InputError(f"ca_file {ca_file} cannot be read ({error}); give certificates as PEM") from error
    return Address(family, place, host, context)


def request_head(url: str, target: Target, plan: TargetPlan) -> bytes:
    """The head of every request, up to the value of Content-Length, which comes last.

    Raises:
        InputError: when the variable that should hold the key is not set.
    """
    parts = urlsplit(url)
    headers = {
        "Host": parts.netloc.rpartition("@")[2],
        "User-Agent": "evalkit-load",
        "Content-Type": "application/json",
        "Accept": target.accept,
        "Accept-Encoding": "identity",
    }
    if plan.api_key_env is not None:
        key = os.environ.get(plan.api_key_env, "")
        if not key or not key.isprintable():
            raise InputError(f"environment variable {plan.api_key_env} holds no key; set it where the load is made")
        headers["Authorization"] = f"Bearer {key}"
    own = {name.title() for name, _ in plan.headers}
    lines = [f"{name}: {value}" for name, value in headers.items() if name not in own]
    lines += [f"{name}: {value}" for name, value in plan.headers]
    path = (parts.path.rstrip("/") + target.path) if target.path else (parts.path or "/")
    return "\r\n".join([f"POST {path} HTTP/1.1", *lines, "Content-Length: "]).encode("latin-1")


def _listens(family: int, place: Any) -> bool:
    with NativeSocket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_S)
        return bool(probe.connect_ex(place) == 0)
