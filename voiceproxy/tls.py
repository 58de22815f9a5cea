"""TLS on the listener: certificate files that may change under it, or a certificate of our own.

Nothing but the settings below turns it on: a generic ``HTTPS=1`` is not read (TLS-2).
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from voiceproxy.errors import SettingsError, UsageError

if TYPE_CHECKING:
    from voiceproxy.host_settings import HostSettings

SELF_SIGNED = "VOICEPROXY_TLS_SELF_SIGNED (--tls-self-signed)"
FILES = "VOICEPROXY_TLS_CERT (--tls-cert) and VOICEPROXY_TLS_KEY (--tls-key)"

ENVIRONMENTS = ("APP_ENV", "ENV", "ENVIRONMENT", "NODE_ENV", "PYTHON_ENV")
"""Variables by which people say what kind of environment it is."""

PRODUCTION = ("prod", "production")


class ListenerTls:
    """The TLS of a listener. ``context`` is given to it once and shows the latest certificate."""

    def __init__(self, load: Callable[[], ssl.SSLContext], *, has_files: bool) -> None:
        self._load = load
        self.has_files = has_files
        """Whether there is anything to be read anew."""
        self.context = self._latest = load()
        self.context.sni_callback = self._show_latest

    def reload(self) -> None:
        """From now on new connections get what the files hold; the others stay as they are.

        Raises UsageError when the files cannot be used; then everything stays.
        """
        self._latest = self._load()

    def _show_latest(
        self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, context: ssl.SSLContext
    ) -> None:
        """Called in each handshake, whether the client names a host or not.

        Loading into the context itself would leave a former key of another kind in it.
        """
        connection.context = self._latest


def listener_tls(settings: HostSettings, variables: Mapping[str, str | None]) -> ListenerTls | None:
    """The TLS the settings ask for; None for none. Files win over a certificate of our own.

    ``variables`` are those of the environment. Raises UsageError when the files cannot be used,
    and when they say that this is production, where no client may trust what we make up (TLS-1).
    """
    if settings.tls_self_signed:
        _refuse_in_production(variables)
    if settings.tls_cert:
        cert, key = Path(settings.tls_cert), Path(settings.tls_key)
        return ListenerTls(lambda: _from_files(cert, key), has_files=True)
    if settings.tls_self_signed:
        from voiceproxy.self_signed import self_signed_context

        made = self_signed_context(settings.host)
        return ListenerTls(lambda: made, has_files=False)
    return None


def _refuse_in_production(variables: Mapping[str, str | None]) -> None:
    for name in ENVIRONMENTS:
        if (variables.get(name) or "").strip().lower() in PRODUCTION:
            raise SettingsError(
                [f"{SELF_SIGNED}: {name} says this is production; give {FILES} instead"]
            )


def _from_files(cert: Path, key: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        for path in (cert, key):
            path.open("rb").close()  # so that an error names the file
        context.load_cert_chain(cert, key, password=_refuse_password)
    except ssl.SSLError as error:
        mismatch = error.reason == "KEY_VALUES_MISMATCH"
        cause = "the key is of another certificate" if mismatch else "they are not PEM files"
        raise SettingsError([f"{FILES}: {cause}"]) from error
    except OSError as error:
        raise SettingsError([f"{FILES}: cannot read {error.filename}: {error.strerror}"]) from error
    return context


def _refuse_password() -> NoReturn:
    """OpenSSL would ask for it on the terminal."""
    raise UsageError(f"{FILES}: the key is encrypted; give it decrypted, readable by nobody else")
