"""TLS on the listener: real processes, certificates of a private authority, both event loops."""

from __future__ import annotations

import asyncio
import signal
import ssl
from contextlib import asynccontextmanager

import aiohttp
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from distributions import BACKEND, install
from proxy_process import SECONDS, run, serving
from yarl import URL

from voiceproxy.errors import SettingsError, UsageError
from voiceproxy.host_settings import HostSettings, configure
from voiceproxy.tls import ENVIRONMENTS, listener_tls

WITHOUT_UVLOOP = "raise ImportError('not for this test')"
WITHOUT_CRYPTOGRAPHY = "raise ImportError('not for this test')"


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def directory(tmp_path):
    points = {"silent": "test_silent"}
    install(tmp_path, "voiceproxy-silent", entry_points=points, modules={"test_silent": BACKEND})
    return tmp_path


def write(directory, issued):
    """Lay down a certificate and its key; returns the flags that name them."""
    issued.private_key_pem.write_to_path(str(directory / "key.pem"))
    cert, *chain = issued.cert_chain_pems
    cert.write_to_path(str(directory / "cert.pem"))
    for one in chain:
        one.write_to_path(str(directory / "cert.pem"), append=True)
    return "--tls-cert", str(directory / "cert.pem"), "--tls-key", str(directory / "key.pem")


def trusting(authority):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def settings(**given):
    return configure([], environ={}, dotenv={}, overrides=given)[HostSettings]


@asynccontextmanager
async def client(context):
    async with (
        asyncio.timeout(SECONDS),
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session,
    ):
        yield session


async def shown(url, name=None):
    """The certificate a new connection gets to see; ``name``: what it asks for, if anything."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    address = URL(url)
    async with asyncio.timeout(SECONDS):
        _, writer = await asyncio.open_connection(
            address.host, address.port, ssl=context, server_hostname=name or ""
        )
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        await writer.wait_closed()
    return x509.load_der_x509_certificate(der)


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
async def test_with_certificate_files_it_speaks_https_and_wss(directory, authority, loop):
    if loop == "asyncio":
        (directory / "uvloop.py").write_text(WITHOUT_UVLOOP)
    flags = write(directory, authority.issue_cert("127.0.0.1"))
    with serving(directory, "--plugin", "silent", *flags) as process:
        assert process.url.startswith("https://127.0.0.1:")
        async with client(trusting(authority)) as session:
            async with session.get(f"{process.url}/ready") as answer:
                assert answer.status == 200
            page = {"Origin": process.url}
            async with session.ws_connect(f"{process.url}/silent", headers=page) as websocket:
                assert (await websocket.receive_json())["type"] == "Welcome"
                process.send(signal.SIGTERM)
                assert (await websocket.receive_json())["type"] == "Warning"
                message = await websocket.receive()
                assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)
        status, _, errors = process.end()
    assert status == 0
    assert not [line for line in errors if "Traceback" in line or " ERROR " in line]


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
async def test_sighup_shows_the_new_certificate_and_no_session_notices(directory, authority, loop):
    if loop == "asyncio":
        (directory / "uvloop.py").write_text(WITHOUT_UVLOOP)
    first = authority.issue_cert("127.0.0.1", "localhost", key_type=trustme.KeyType.RSA)
    second = authority.issue_cert("127.0.0.1", "localhost", key_type=trustme.KeyType.ECDSA)
    numbers = [x509.load_pem_x509_certificate(one.cert_chain_pems[0].bytes()).serial_number
               for one in (first, second)]  # fmt: skip
    with serving(directory, "--plugin", "silent", *write(directory, first)) as process:
        assert (await shown(process.url)).serial_number == numbers[0]
        async with (
            client(trusting(authority)) as session,
            session.ws_connect(f"{process.url}/silent") as websocket,
        ):
            write(directory, second)
            process.send(signal.SIGHUP)
            assert "INFO the certificate is read anew" in process.errors_until("anew")[-1]
            for name in (None, "localhost", "other.example"):
                assert (await shown(process.url, name)).serial_number == numbers[1]
            (directory / "key.pem").write_text("gone")
            process.send(signal.SIGHUP)
            line = process.errors_until("stays as it is")[-1]
            assert "--tls-key" in line
            assert (await shown(process.url)).serial_number == numbers[1]
            assert (await websocket.receive_json())["type"] == "Welcome"
            await websocket.send_json({"type": "Nonsense"})
            assert (await websocket.receive_json())["type"] == "Error"
        process.send(signal.SIGINT)
        assert process.end()[0] == 0


async def test_a_client_that_speaks_no_tls_is_dropped_without_a_traceback(directory, authority):
    flags = write(directory, authority.issue_cert("127.0.0.1"))
    with serving(directory, "--plugin", "silent", *flags, "--log-level", "debug") as process:
        async with client(None) as session:
            with pytest.raises(aiohttp.ClientError):
                await session.get(process.url.replace("https", "http"))
        process.send(signal.SIGTERM)
        status, _, errors = process.end()
    assert status == 0
    assert not [line for line in errors if "Traceback" in line or " ERROR " in line]


async def test_a_self_signed_certificate_is_for_localhost_for_a_year_tls_3(directory):
    with serving(directory, "--plugin", "silent", "--tls-self-signed") as process:
        assert process.url.startswith("https://")
        certificate = await shown(process.url)
        [name] = certificate.subject
        assert (name.rfc4514_attribute_name, name.value) == ("CN", "localhost")
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == ["localhost"]
        assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == [
            "127.0.0.1",
            "::1",
        ]
        key = certificate.public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        assert key.key_size == 2048
        lasts = certificate.not_valid_after_utc - certificate.not_valid_before_utc
        assert lasts.days == 365
        async with client(trusting_only(certificate)) as session:
            address = URL(process.url).with_host("localhost") / "health"
            async with session.get(address) as answer:
                assert answer.status == 200
    assert sorted(path.suffix for path in directory.iterdir() if path.suffix == ".pem") == []


def trusting_only(certificate):
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    return ssl.create_default_context(cadata=pem)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_production_has_no_self_signed_certificate_tls_1(directory, name):
    flags = write(directory, trustme.CA().issue_cert("localhost"))
    ended = run(
        directory, "--plugin", "silent", "--tls-self-signed", *flags, **{name: " Production "}
    )
    assert ended.returncode == 2
    assert "production" in ended.stderr
    assert name in ended.stderr


def test_the_env_file_may_say_that_it_is_production(directory):
    (directory / ".env").write_text("NODE_ENV=production\n")
    ended = run(directory, "--plugin", "silent", "--tls-self-signed")
    assert (ended.returncode, "NODE_ENV says this is production" in ended.stderr) == (2, True)


def test_files_win_over_a_self_signed_certificate_tls_2(tmp_path, authority):
    _, cert, _, key = write(tmp_path, authority.issue_cert("localhost"))
    tls = listener_tls(settings(tls_cert=cert, tls_key=key, tls_self_signed=True), {})
    assert tls.has_files
    tls = listener_tls(settings(tls_self_signed=True, host="voice.example"), {"NODE_ENV": "test"})
    assert not tls.has_files


def test_nothing_generic_turns_tls_on_tls_2(directory):
    with serving(directory, "--plugin", "silent", HTTPS="1", SSL="true") as process:
        assert process.url.startswith("http://")
    assert listener_tls(settings(), {"HTTPS": "1"}) is None


@pytest.mark.parametrize(("given", "missing"), [("tls_cert", "tls_key"), ("tls_key", "tls_cert")])
def test_one_file_without_the_other_is_refused_tls_1(given, missing):
    with pytest.raises(SettingsError) as refused:
        settings(**{given: "x.pem"})
    [problem] = refused.value.problems
    assert f"--{missing.replace('_', '-')}" in problem
    assert "Both files" in problem


def test_files_that_cannot_be_used_are_named(tmp_path, authority):
    _, cert, _, key = write(tmp_path, authority.issue_cert("localhost"))

    def problem(cert, key):
        with pytest.raises(UsageError) as refused:
            listener_tls(settings(tls_cert=str(cert), tls_key=str(key)), {})
        assert "--tls-cert" in str(refused.value)
        return str(refused.value)

    assert f"cannot read {tmp_path}/none.pem: No such file" in problem(cert, tmp_path / "none.pem")
    assert f"cannot read {tmp_path}" in problem(tmp_path, key)
    other = tmp_path / "other.pem"
    authority.issue_cert("localhost").private_key_pem.write_to_path(str(other))
    assert "of another certificate" in problem(cert, other)
    other.write_text("no PEM")
    assert "not PEM" in problem(other, key)
    secret = serialization.load_pem_private_key((tmp_path / "key.pem").read_bytes(), None)
    other.write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"word"),
        )
    )
    assert "encrypted" in problem(cert, other)


def test_what_makes_the_certificate_is_named_when_it_is_not_installed(directory):
    (directory / "cryptography.py").write_text(WITHOUT_CRYPTOGRAPHY)
    ended = run(directory, "--plugin", "silent", "--tls-self-signed")
    assert ended.returncode == 2
    assert "python -m pip install 'voiceproxy[tls]'" in ended.stderr
    assert "Traceback" not in ended.stderr
