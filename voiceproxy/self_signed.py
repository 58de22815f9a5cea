"""A certificate for development, made in memory at the start (TLS-3). No client trusts it."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory

from voiceproxy.errors import UsageError

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
except ImportError:
    raise UsageError(
        "--tls-self-signed makes its certificate with the package cryptography: "
        "python -m pip install 'voiceproxy[tls]'"
    ) from None

LIFETIME = timedelta(days=365)
NAMES = ("localhost", "127.0.0.1", "::1")


def self_signed_context(host: str) -> ssl.SSLContext:
    """For localhost, the loopback addresses and the host listened on."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    cert = _certificate(key, dict.fromkeys((*NAMES, host)))
    form = serialization.Encoding.PEM
    secret = key.private_bytes(
        form, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with TemporaryDirectory() as directory:  # OpenSSL reads files only; this one is ours alone
        path = Path(directory, "certificate.pem")
        path.write_bytes(secret + cert.public_bytes(form))
        context.load_cert_chain(path)
    return context


def _certificate(key: rsa.RSAPrivateKey, names: dict[str, None]) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # clocks differ
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectAlternativeName([_general_name(one) for one in names]), False)
        .sign(key, hashes.SHA256())
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
