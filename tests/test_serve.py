import asyncio
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
from distributions import BACKEND, install
from proxy_process import SECONDS, environment, run, serving
from yarl import URL

HANGING = """
    import asyncio

    from voiceproxy import hookimpl


    async def hang(app):
        await asyncio.sleep(3600)


    @hookimpl
    def voiceproxy_setup(app):
        app.on_shutdown.append(hang)
"""

LINGERING = """
    import asyncio
    from pathlib import Path

    from voiceproxy import hookimpl


    @hookimpl
    async def voiceproxy_close():
        while not Path("go").exists():
            await asyncio.sleep(0.01)
"""

TALKATIVE = """
    import logging

    from voiceproxy import hookimpl


    @hookimpl
    def voiceproxy_setup(app):
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            logging.getLogger("somebody").log(level, "it is %s", logging.getLevelName(level))
            logging.getLogger("aiohttp.server").log(level, "noise %s", logging.getLevelName(level))
"""

WITHOUT_UVLOOP = "raise ImportError('not for this test')"


@pytest.fixture
def directory(tmp_path):
    install(
        tmp_path,
        "voiceproxy-for-tests",
        entry_points={
            "silent": "test_silent",
            "hanging": "test_hanging",
            "lingering": "test_lingering",
            "talkative": "test_talkative",
        },
        modules={
            "test_silent": BACKEND,
            "test_hanging": HANGING,
            "test_lingering": LINGERING,
            "test_talkative": TALKATIVE,
        },
    )
    return tmp_path


def test_one_line_announces_where_it_listens_and_what_it_serves(directory):
    with serving(directory, "--plugin", "silent") as process:
        assert re.fullmatch(
            r"voiceproxy listening on http://127\.0\.0\.1:[1-9]\d* "
            r"endpoints: /silent /v1/agent/converse /health /ready\n",
            process.announcement,
        )
        process.send(signal.SIGTERM)
        status, more_output, _ = process.end()
        assert (status, more_output) == (0, [])


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_an_ipv6_address_is_announced_in_brackets(directory):
    with serving(directory, "--plugin", "silent", "--host", "::1") as process:
        assert re.search(r" http://\[::1\]:[1-9]\d* ", process.announcement)


async def test_it_serves_once_it_is_announced(directory):
    with serving(directory, "--plugin", "silent") as process:
        async with asyncio.timeout(SECONDS), aiohttp.ClientSession() as client:
            async with client.get(f"{process.url}/health") as answer:
                assert answer.status == 200
            async with client.get(f"{process.url}/ready?token=hush") as answer:
                assert answer.status == 200
        process.send(signal.SIGINT)
        status, _, errors = process.end()
        assert status == 0
        assert "hush" not in "".join(errors)


MALFORMED = [
    b"GET /silent?token=hush&a=\xe9 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /silent HTTP/1.1\r\nHost: localhost\r\nSec-WebSocket-Protocol: token, hush\x01\r\n\r\n",
    b"GET /silent HTTP/1.1\r\nHost: localhost\r\nAuthorization: Token hush\x00\r\n\r\n",
    b"GET /silent?token=hush&a=" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
]


async def test_a_request_that_is_not_http_is_logged_without_what_it_says(directory):
    """aiohttp's own line quotes it, credentials included."""
    with serving(directory, "--plugin", "silent", "--log-level", "debug") as process:
        address = URL(process.url)
        async with asyncio.timeout(SECONDS):
            for request in MALFORMED:
                reader, writer = await asyncio.open_connection(address.host, address.port)
                writer.write(request)
                assert b" 400 " in await reader.readline()
                writer.close()
        process.send(signal.SIGINT)
        _, _, errors = process.end()
    lines = [line for line in errors if "not HTTP" in line]
    assert [" WARNING " in line for line in lines] == [True] * len(MALFORMED)
    assert not [line for line in errors if "hush" in line or "Traceback" in line]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
async def test_a_signal_closes_the_clients_and_ends_it_with_status_0(directory, number, loop):
    if loop == "asyncio":
        (directory / "uvloop.py").write_text(WITHOUT_UVLOOP)
    with serving(directory, "--plugin", "silent") as process:
        async with (
            asyncio.timeout(SECONDS),
            aiohttp.ClientSession() as client,
            client.ws_connect(f"{process.url}/silent") as websocket,
        ):
            assert (await websocket.receive_json())["type"] == "Welcome"
            process.send(number)
            while (message := await websocket.receive()).type != aiohttp.WSMsgType.CLOSE:
                assert message.type == aiohttp.WSMsgType.TEXT
            assert message.data == 1001
            await websocket.close()
        status, _, errors = process.end()
        assert status == 0
        assert not [line for line in errors if "Traceback" in line or " ERROR " in line]


async def test_while_it_stops_it_still_answers_that_it_is_not_ready(directory):
    with serving(directory, "--plugin", "silent", "--plugin", "lingering") as process:
        async with asyncio.timeout(SECONDS), aiohttp.ClientSession() as client:
            async with client.ws_connect(f"{process.url}/silent"):
                process.send(signal.SIGTERM)
                status = 200
                while status == 200:
                    async with client.get(f"{process.url}/ready") as answer:
                        status, body = answer.status, await answer.json()
                assert (status, body["status"]) == (503, "stopping")
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    await client.ws_connect(f"{process.url}/silent")
                assert refused.value.status == 503
                assert "Retry-After" in refused.value.headers
            (directory / "go").touch()
        assert process.end()[0] == 0


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_it_at_once(directory, number, loop):
    if loop == "asyncio":
        (directory / "uvloop.py").write_text(WITHOUT_UVLOOP)
    with serving(directory, "--plugin", "silent", "--plugin", "hanging") as process:
        process.send(number)
        assert process.errors_until("stopping")[-1].endswith(" INFO stopping")
        process.send(number)
        assert process.end()[0] == -number


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_hangup_that_is_ignored_stays_ignored(directory, workers):
    """As ``nohup`` begins a program that is to outlive its terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with serving(directory, "--plugin", "silent", "--workers", workers) as process:
            process.send(signal.SIGHUP)
            for _ in range(40):  # for as long as it would take to stop
                asyncio.run(_check_serves(process.url))
            process.send(signal.SIGTERM)
            assert process.end()[0] == 0
    finally:
        signal.signal(signal.SIGHUP, before)


async def _check_serves(url):
    async with (
        asyncio.timeout(SECONDS),
        aiohttp.ClientSession() as client,
        client.ws_connect(f"{url}/silent") as websocket,
    ):
        assert (await websocket.receive_json())["type"] == "Welcome"


LOST_STREAMS = {
    "stdout-full": ">/dev/full",
    "both-full": ">/dev/full 2>/dev/full",
    "stdout-closed": ">&-",
    "stderr-closed": "2>&-",
    "all-closed": "<&- >&- 2>&-",
}


@pytest.mark.parametrize("streams", LOST_STREAMS.values(), ids=LOST_STREAMS)
@pytest.mark.parametrize("workers", ["1", "2"])
def test_it_serves_without_anybody_to_tell(directory, workers, streams):
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = str(found.getsockname()[1])
    command = (sys.executable, "-m", "voiceproxy", "--plugin", "silent", "--workers", workers)
    with subprocess.Popen(
        ["/bin/sh", "-c", f'exec "$@" {streams}', "sh", *command, "--port", port],
        cwd=directory,
        env=environment(directory),
        stdout=subprocess.DEVNULL,
        stderr=(log := (directory / "log").open("w+")),
    ) as process:
        try:
            asyncio.run(_until_it_serves(int(port)))
            process.send_signal(signal.SIGTERM)
            assert process.wait(SECONDS) == 0
        finally:
            process.kill()
    with log:
        log.seek(0)
        assert "Traceback" not in log.read()


async def _until_it_serves(port):
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                return await _check_serves(f"http://127.0.0.1:{port}")
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.05)


def test_an_error_that_cannot_be_told_shows_in_the_status(directory):
    with Path("/dev/full").open("w") as full:
        command = (sys.executable, "-m", "voiceproxy", "--plugin", "no-such-plugin")
        status = subprocess.call(
            command, stderr=full, cwd=directory, env=environment(directory), timeout=SECONDS
        )
    assert status == 2


BUSY = """
    import asyncio
    import time

    from voiceproxy import hookimpl


    async def busy(app):
        asyncio.get_running_loop().run_in_executor(None, time.sleep, 3600)
        yield


    @hookimpl
    def voiceproxy_setup(app):
        app.cleanup_ctx.append(busy)
"""

ENDLESS = """
    import asyncio

    from voiceproxy import hookimpl


    async def endless(app):
        yield
        await asyncio.sleep(3600)


    @hookimpl
    def voiceproxy_setup(app):
        app.cleanup_ctx.append(endless)
"""


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("source", "said"),
    [(BUSY, "without waiting for what threads"), (ENDLESS, "within 0.1 s (the setting hook_t")],
    ids=["thread", "context"],
)
def test_what_a_plugin_does_not_end_keeps_no_process(directory, source, said, workers, loop):
    if loop == "asyncio":
        (directory / "uvloop.py").write_text(WITHOUT_UVLOOP)
    install(directory, "voiceproxy-stuck", entry_points={"stuck": "test_stuck"},
            modules={"test_stuck": source})  # fmt: skip
    loaded = ("--plugin", "silent", "--plugin", "stuck")
    with serving(directory, *loaded, "--workers", workers, "--hook-timeout", "0.1") as process:
        asyncio.run(_check_serves(process.url))
        process.send(signal.SIGTERM)
        status, _, errors = process.end()
    assert status == 0
    assert [line for line in errors if said in line]


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_port_in_use_is_an_error_that_names_the_flag(directory, loop):
    if loop == "asyncio":
        (directory / "uvloop.py").write_text(WITHOUT_UVLOOP)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run(directory, "--plugin", "silent", "--port", str(port))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.splitlines() == [
        "plugins: silent",
        (
            f"voiceproxy: error: cannot listen on 127.0.0.1:{port}: address already in use; "
            "see --host and --port (0: a free one)"
        ),
    ]


def test_an_address_of_another_machine_is_an_error_that_names_the_flag(directory):
    ended = run(directory, "--plugin", "silent", "--host", "2001:db8::1", "--port", "0")
    assert ended.returncode == 1
    assert "cannot listen on [2001:db8::1]:0: " in ended.stderr
    assert "see --host" in ended.stderr


def test_a_host_that_does_not_resolve_is_an_error_that_names_the_flag(directory):
    ended = run(directory, "--plugin", "silent", "--host", "no-such-host.invalid")
    assert ended.returncode == 1
    assert "cannot listen on no-such-host.invalid:8080: " in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        ("debug", ["DEBUG", "INFO", "WARNING", "ERROR"]),
        ("info", ["INFO", "WARNING", "ERROR"]),
        ("warn", ["WARNING", "ERROR"]),
        ("error", ["ERROR"]),
    ],
)
def test_the_log_goes_to_stderr_at_the_level_asked_for_and_libraries_are_quieter(
    directory, level, heard
):
    with serving(
        directory, "--plugin", "silent", "--plugin", "talkative", "--log-level", level
    ) as process:
        process.send(signal.SIGTERM)
        _, _, lines = process.end()
    time = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"
    said = [m.group(1) for it in lines if (m := re.fullmatch(rf"{time} (\w+) it is \1", it))]
    noise = [m.group(1) for it in lines if (m := re.fullmatch(rf"{time} (\w+) noise \1", it))]
    assert said == heard
    assert noise == [name for name in heard if name in ("WARNING", "ERROR")]
