"""Every setting of the server, with its unit, its default and its meaning: flags and documentation come from here."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serving.errors import ServingError
from serving.provider import Provider

MAX_PORT = 65_535
MEANING = "meaning"
# How access_log names the standard error stream.
STDERR = Path("-")


class SettingsError(ServingError):
    """A setting is out of range, contradicts another, or names a file that cannot be used."""


def _means(meaning: str) -> dict[str, str]:
    return {MEANING: meaning}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """How the server listens, computes and refuses. Limits hold for each worker process by itself.

    A request has at most `max_request_rows` texts, each cut at the model's own maximum length: their product bounds
    its tokens.

    Raises:
        SettingsError: a value is out of range, or a full-sized request could never enter the queue.
    """

    host: str = field(default="127.0.0.1", metadata=_means("address to listen on"))
    port: int = field(default=8080, metadata=_means("TCP port; 0 takes a free one, which the ready line names"))
    grpc_port: int | None = field(
        default=None, metadata=_means("TCP port of the gRPC calls; 0 takes a free one; without it none")
    )
    workers: int = field(
        default=1,
        metadata=_means("processes that answer on the port, each with the model; a supervisor replaces dead ones"),
    )
    provider: Provider = field(
        default=Provider.AUTO,
        metadata=_means("execution provider; cpu and cuda are strict, auto takes cuda only where it works"),
    )
    threads: int = field(default=1, metadata=_means("compute threads of one batch"))
    max_batch_rows: int = field(default=16, metadata=_means("texts computed together at most"))
    max_batch_tokens: int = field(default=8_192, metadata=_means("tokens computed together at most, padding included"))
    max_delay_ms: int = field(
        default=0, metadata=_means("how long a text may wait for a fuller batch while nothing is computed")
    )
    queue_limit_rows: int = field(
        default=256, metadata=_means("texts that may wait; beyond it requests get 503 with Retry-After")
    )
    max_wait_ms: int = field(
        default=0, metadata=_means("deadline of a request without X-Request-Timeout-Ms; 0 sets none")
    )
    max_request_rows: int = field(default=64, metadata=_means("texts in one request at most; more get 413"))
    max_body_bytes: int = field(default=1_048_576, metadata=_means("size of a request body at most; more gets 413"))
    max_head_bytes: int = field(
        default=32_768, metadata=_means("size of a request's line and headers at most; more get 431")
    )
    max_connections: int = field(
        default=1_000, metadata=_means("open connections; requests on further ones get 503, health and metrics not")
    )
    read_timeout_s: int = field(
        default=30, metadata=_means("seconds to send a request's head, and then its body; too late gets 408")
    )
    # Long, because clients that pool connections fail on one that the server closed first.
    keep_alive_s: int = field(default=120, metadata=_means("idle seconds before a connection is closed"))
    drain_s: int = field(default=30, metadata=_means("seconds given to accepted requests after a stop signal"))
    tls_cert: Path | None = field(
        default=None, metadata=_means("PEM file of the certificate chain; with it the server speaks https")
    )
    tls_key: Path | None = field(default=None, metadata=_means("PEM file of the certificate's private key"))
    api_key_file: Path | None = field(
        default=None, metadata=_means("file of the keys that may ask, one a line (or EVALKIT_API_KEY)")
    )
    admin_key_file: Path | None = field(
        default=None, metadata=_means("file of the keys that may load models (or EVALKIT_ADMIN_KEY)")
    )
    model_root: Path | None = field(
        default=None, metadata=_means("folder below which models may be loaded; without it only the served one")
    )
    access_log: Path | None = field(
        default=None, metadata=_means("file for one JSON line a request; - is stderr; without it none")
    )

    def __post_init__(self) -> None:
        _check_port("port", self.port)
        if self.grpc_port is not None:
            _check_port("grpc_port", self.grpc_port)
            if self.workers > 1:
                raise SettingsError("grpc_port takes one worker: gRPC connections are not dealt out; leave one out")
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value < least:
                raise SettingsError(f"{name} is {value}; give at least {least}{_ZERO_MEANS.get(name, '')}")
        if self.queue_limit_rows < self.max_request_rows:
            raise SettingsError(
                f"queue_limit_rows is {self.queue_limit_rows}, less than max_request_rows "
                f"{self.max_request_rows}: such a request would always be refused; raise the former"
            )
        if (self.tls_cert is None) != (self.tls_key is None):
            raise SettingsError("tls_cert and tls_key belong together; give both, or neither")


_LEAST: dict[str, int] = {
    "workers": 1,
    "threads": 1,
    "max_batch_rows": 1,
    "max_batch_tokens": 1,
    "max_delay_ms": 0,
    "queue_limit_rows": 1,
    "max_wait_ms": 0,
    "max_request_rows": 1,
    "max_body_bytes": 1,
    "max_head_bytes": 1_024,
    "max_connections": 1,
    "read_timeout_s": 1,
    "keep_alive_s": 1,
    "drain_s": 1,
}
_ZERO_MEANS = {"max_delay_ms": " (0 is no delay)", "max_wait_ms": " (0 is no deadline)"}


def _check_port(name: str, port: int) -> None:
    if not 0 <= port <= MAX_PORT:
        raise SettingsError(f"{name} is {port}; give 0 (any free port) to {MAX_PORT}")


def flag_of(name: str) -> str:
    """The command line's name of a setting.

    >>> flag_of("max_batch_rows")
    '--max-batch-rows'
    """
    return "--" + name.replace("_", "-")


def meaning_of(setting: Any) -> str:
    """What a field of `ServerSettings` says of itself."""
    return str(setting.metadata[MEANING])
