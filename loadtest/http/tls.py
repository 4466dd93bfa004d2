"""TLS over a socket that never blocks."""

from __future__ import annotations

import socket
import ssl


class TlsSocket:
    """The part of a socket that a connection uses, encrypted. What could not be sent yet is sent first next time."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, host: str) -> None:
        self._sock = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._unsent = b""

    def fileno(self) -> int:
        return self._sock.fileno()

    def close(self) -> None:
        self._sock.close()

    def shake_hands(self) -> bool:
        """One step; whether it was the last. Raises OSError (ssl.SSLError) where it fails."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        finally:
            self.flush()
        return True

    def receive_for_handshake(self) -> None:
        """Pass on what has come. Raises ConnectionError at its end."""
        data = self._sock.recv(65536)
        if not data:
            raise ConnectionError("closed in the middle of the TLS handshake")
        self._incoming.write(data)

    def send(self, data: bytes) -> int:
        """Always takes all of ``data``; see ``flush`` for what the kernel did not take."""
        self._tls.write(data)
        self.flush()
        return len(data)

    def flush(self) -> bool:
        """Send what is waiting; whether all of it has gone."""
        self._unsent += self._outgoing.read()
        while self._unsent:
            try:
                self._unsent = self._unsent[self._sock.send(self._unsent) :]
            except BlockingIOError:
                return False
        return True

    def recv(self, size: int) -> bytes:
        """Raises BlockingIOError where no whole record has come; b"" is the end."""
        data = self._sock.recv(size)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
        parts = []
        try:
            while part := self._tls.read(size):
                parts.append(part)
        except ssl.SSLWantReadError:
            if not parts:
                raise BlockingIOError from None
        except ssl.SSLEOFError:
            pass
        return b"".join(parts)
