"""The certificate of a server that speaks https."""

from __future__ import annotations

import ssl

from serving.settings import ServerSettings, SettingsError


def check_tls(settings: ServerSettings) -> None:
    """Read certificate and key, where there are any.

    Raises:
        SettingsError: a file cannot be read, is no PEM, needs a password, or the two do not belong together.
    """
    if settings.tls_cert is None or settings.tls_key is None:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password="")  # else it asks on the terminal
    except OSError as error:  # ssl.SSLError is one
        raise SettingsError(
            f"tls_cert {settings.tls_cert} and tls_key {settings.tls_key} cannot be used ({error}); "
            "give PEM files of a chain and of its key, without a password"
        ) from error
