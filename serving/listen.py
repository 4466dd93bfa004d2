"""Takes the server's address before anything slow happens."""

from __future__ import annotations

import errno
import socket

from serving.errors import ListenError

_BACKLOG = 2048


def bind(host: str, port: int, option: str = "--port") -> socket.socket:
    """A TCP socket bound to the address but not yet listening: until `listen`, connections are refused.

    `option` is what gives another port.

    Raises:
        ListenError: the host does not resolve, or the address is in use or not allowed.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise ListenError(f"host {host} is no address of this machine ({error.strerror}); give --host") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # restart over TIME_WAIT
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise _listen_error(host, port, error, option) from error
    return listener


def listen(listener: socket.socket) -> None:
    """Start to accept connections.

    Raises:
        ListenError: another process that had bound the address too began to listen first.
    """
    host, port = listener.getsockname()[:2]
    try:
        listener.listen(_BACKLOG)
    except OSError as error:
        raise _listen_error(host, port, error) from error


def _listen_error(host: str, port: int, error: OSError, option: str = "--port") -> ListenError:
    if error.errno == errno.EADDRINUSE:
        return ListenError(f"port {port} on {host} is in use; stop what listens there or give {option}")
    return ListenError(f"cannot listen on port {port} of {host}: {error.strerror}; give --host or {option}")
