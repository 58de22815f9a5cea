"""``--workers``: several processes on one port, with the flags, signals and logs of one."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import time
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import psutil
import pytest
import trustme
from cryptography import x509
from distributions import BACKEND, install
from proxy_process import SECONDS, run, serving
from test_tls import client, shown, trusting, write

from voiceproxy import workers

WITHOUT = "raise ImportError('not for this test')"

SPEAKING = """
    import asyncio
    import os
    from pathlib import Path

    from voiceproxy import Binary, hookimpl


    @hookimpl
    def voiceproxy_connect(session):
        session.start(speak(session))


    async def speak(session):
        session.to_client({"type": "Process", "id": os.getpid()})
        while Path("speak").exists():
            session.to_client(Binary(b"word"))
            await asyncio.sleep(0.05)
        session.to_client({"type": "AgentAudioDone"})
"""


@pytest.fixture
def directory(tmp_path):
    install(
        tmp_path,
        "voiceproxy-for-workers",
        entry_points={"silent": "test_silent", "speaking": "test_speaking"},
        modules={"test_silent": BACKEND, "test_speaking": SPEAKING},
    )
    return tmp_path


@asynccontextmanager
async def session_with(url):
    """A session, and the id of the process that has it."""
    async with (
        asyncio.timeout(SECONDS),
        aiohttp.ClientSession() as http,
        http.ws_connect(url.replace("http", "ws", 1) + "/silent") as websocket,
    ):
        while (one := await heard(websocket)).get("type") != "Process":
            pass
        yield websocket, one["id"]


async def heard(websocket):
    """The next message that is no audio; of the close, its code."""
    while (message := await websocket.receive()).type is aiohttp.WSMsgType.BINARY:
        pass
    return json.loads(message.data) if message.type is aiohttp.WSMsgType.TEXT else message.data


def check_quiet(errors):
    assert not [line for line in errors if "Traceback" in line or " ERROR " in line]


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
async def test_sessions_are_served_by_several_processes(directory, loop):
    if loop == "asyncio":
        (directory / "uvloop.py").write_text(WITHOUT)
    flags = ("--plugin", "silent", "--plugin", "speaking", "--workers", "2")
    with serving(directory, *flags) as process:
        async with asyncio.timeout(SECONDS), aiohttp.ClientSession() as http:
            async with http.get(f"{process.url}/ready") as answer:
                assert (await answer.json())["status"] == "ready"
            seen = set()
            while len(seen) < 2:
                async with session_with(process.url) as (_, served_by):
                    seen.add(served_by)
        process.send(signal.SIGTERM)
        status, more_output, errors = process.end()
    assert (status, more_output) == (0, [])
    assert errors[0] == "plugins: silent, speaking"
    check_quiet(errors)
    assert not [pid for pid in seen if psutil.pid_exists(pid)]


async def test_sigterm_lets_agents_end_their_turns_in_every_process(directory):
    (directory / "speak").touch()
    flags = ("--plugin", "silent", "--plugin", "speaking", "--workers", "2")
    with serving(directory, *flags) as process:
        async with session_with(process.url) as (websocket, _):
            process.send(signal.SIGTERM)
            assert (await heard(websocket))["type"] == "Warning"
            async with aiohttp.ClientSession() as http:
                status = 200
                while status == 200:  # of the process that has not begun to stop
                    async with http.get(f"{process.url}/ready") as answer:
                        status = answer.status
                assert status == 503
            (directory / "speak").unlink()
            assert (await heard(websocket))["type"] == "AgentAudioDone"
            assert await heard(websocket) == 1001
        status, _, errors = process.end()
    assert status == 0
    check_quiet(errors)


@pytest.mark.parametrize(
    ("signals", "flags", "status"),
    [
        ([signal.SIGINT], [], 0),
        ([signal.SIGTERM], ["--drain-timeout", "0.3"], 0),
        ([signal.SIGTERM, signal.SIGTERM], [], -signal.SIGTERM),
        ([signal.SIGTERM, signal.SIGINT], [], -signal.SIGINT),
    ],
    ids=["interrupt", "timeout", "twice", "term-and-interrupt"],
)
async def test_what_ends_a_reply_before_its_time(directory, signals, flags, status):
    (directory / "speak").touch()
    flags = ["--plugin", "silent", "--plugin", "speaking", "--workers", "2", *flags]
    with serving(directory, *flags) as process:
        async with session_with(process.url) as (websocket, served_by):
            process.send(signals[0])
            ends = [await heard(websocket)]
            for number in signals[1:]:
                process.send(number)
            while isinstance(ends[-1], dict):
                ends.append(await heard(websocket))
        assert process.end()[0] == status
    if status == 0:
        assert (ends[-2]["type"], ends[-1]) == ("Error", 1001)
    await _gone(served_by)


async def _gone(pid):
    async with asyncio.timeout(SECONDS):
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.02)


async def test_a_process_that_dies_is_replaced(directory):
    flags = ("--plugin", "silent", "--plugin", "speaking", "--workers", "2")
    with serving(directory, *flags) as process:
        async with session_with(process.url) as (_, first):
            os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(SECONDS):
            while len(psutil.Process(process.pid).children()) < 2 or psutil.pid_exists(first):
                await asyncio.sleep(0.05)
        async with session_with(process.url) as (_, other):
            assert other != first
        process.send(signal.SIGTERM)
        status, _, errors = process.end()
    assert status == 0
    assert any(f"(pid:{first}) was sent SIGKILL" in line for line in errors)


async def test_workers_whose_master_is_gone_end_in_order(directory):
    flags = ("--plugin", "silent", "--plugin", "speaking", "--workers", "2")
    with serving(directory, *flags) as process:
        async with session_with(process.url) as (websocket, served_by):
            assert (await heard(websocket))["type"] == "AgentAudioDone"
            process.send(signal.SIGKILL)
            assert (await heard(websocket))["type"] == "Warning"
            assert await heard(websocket) == 1001
        await _gone(served_by)
        assert process.end()[0] == -signal.SIGKILL


async def test_sighup_reaches_the_certificate_of_every_process(directory):
    authority = trustme.CA()
    flags = write(directory, authority.issue_cert("127.0.0.1"))
    with serving(directory, "--plugin", "silent", "--workers", "2", *flags) as process:
        before = await shown(process.url)
        write(directory, authority.issue_cert("127.0.0.1"))
        async with (
            client(trusting(authority)) as http,
            http.get(f"{process.url}/health") as answer,
        ):
            assert answer.status == 200
        process.send(signal.SIGHUP)
        process.errors_until("the certificate is read anew")
        new = 0
        while new < 10:  # in a row: no process shows the old one any more
            new = 0 if await shown(process.url) == before else new + 1
        process.send(signal.SIGTERM)
        assert process.end()[0] == 0


async def test_sighup_reaches_workers_that_have_not_begun(directory):
    authority = trustme.CA()
    flags = write(directory, authority.issue_cert("127.0.0.1"))
    with_plugin(directory, "beginning", BEGINNING)
    loaded = ("--plugin", "silent", "--plugin", "beginning", "--workers", "2")
    with serving(directory, *loaded, *flags, PAUSE="1") as process:
        while len(begun(directory)) < 2:
            await asyncio.sleep(0.02)
        new = authority.issue_cert("127.0.0.1")
        write(directory, new)
        process.send(signal.SIGHUP)
        [number] = {(await shown(process.url)).serial_number for _ in range(10)}
        assert (
            number == x509.load_pem_x509_certificate(new.cert_chain_pems[0].bytes()).serial_number
        )
        process.send(signal.SIGTERM)
        assert process.end()[0] == 0
    assert len(begun(directory)) == 2  # none was replaced


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_the_processes_begin_ends_them_too(directory, number):
    with serving(directory, "--plugin", "silent", "--workers", "2") as process:
        began = time.monotonic()
        process.send(number)
        status, _, errors = process.end()
    assert status == 0
    assert time.monotonic() - began < SECONDS / 2
    check_quiet(errors)


def test_sighup_without_a_certificate_ends_it(directory):
    with serving(directory, "--plugin", "silent", "--workers", "2") as process:
        process.send(signal.SIGHUP)
        assert process.end()[0] == 0


def test_a_port_in_use_is_an_error_that_names_the_flag(directory):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run(directory, "--plugin", "silent", "--workers", "2", "--port", port)
    assert ended.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: address already in use" in ended.stderr


def test_a_worker_that_cannot_begin_ends_it_with_status_1(directory):
    taken_ctx = """
        from voiceproxy import hookimpl


        async def broken(app):
            raise OSError("no such thing")
            yield


        @hookimpl
        def voiceproxy_setup(app):
            app.cleanup_ctx.append(broken)
    """
    install(directory, "voiceproxy-broken", entry_points={"broken": "test_broken"},
            modules={"test_broken": taken_ctx})  # fmt: skip
    flags = ("--plugin", "silent", "--plugin", "broken", "--port", "0")
    ended = run(directory, *flags, "--workers", "2")
    assert ended.returncode == 1
    assert "no such thing" in ended.stderr


QUICK = """
    import os
    import signal
    from pathlib import Path

    from voiceproxy import hookimpl

    fork = os.fork


    def signalled():
        worker = fork()
        if worker:
            os.kill(worker, signal.SIGTERM)
            Path("signalled").write_text(str(worker))
            os.fork = fork
        return worker


    @hookimpl
    def voiceproxy_setup(app):
        os.fork = signalled
"""
SHORT = ("--drain-timeout", "0.1", "--close-timeout", "0.1", "--hook-timeout", "0.1")


async def test_a_signal_reaches_a_worker_that_has_not_run_yet(directory):
    """Otherwise who ends it waits for it until its time is over."""
    with_plugin(directory, "quick", QUICK)
    flags = ("--plugin", "silent", "--plugin", "quick", "--workers", "2")
    with serving(directory, *flags) as process:
        async with asyncio.timeout(SECONDS / 2):
            while not (told := directory / "signalled").exists() or not told.read_text():
                await asyncio.sleep(0.01)
            await _gone(int(told.read_text()))
        process.send(signal.SIGTERM)
        status, _, errors = process.end()
    assert status == 0
    check_quiet(errors)


def with_plugin(directory, name, source):
    module = f"test_{name}"
    install(directory, f"voiceproxy-{name}", entry_points={name: module}, modules={module: source})


BEGINNING = """
    import asyncio
    import os
    import time
    from pathlib import Path

    from voiceproxy import hookimpl


    async def begin(app):
        with open("begun", "a") as begun:
            begun.write(f"{time.monotonic()}\\n")
        await asyncio.sleep(float(os.environ.get("PAUSE", "0")))
        if Path("dies").exists():
            os._exit(9)
        if Path("fails").exists():
            raise OSError("no such thing")
        yield


    @hookimpl
    def voiceproxy_setup(app):
        app.cleanup_ctx.append(begin)
"""


def test_workers_that_die_as_they_begin_are_replaced_once_a_second(directory):
    with_plugin(directory, "beginning", BEGINNING)
    (directory / "dies").touch()
    flags = ("--plugin", "silent", "--plugin", "beginning", "--workers", "2")
    with serving(directory, *flags) as process:
        end = time.monotonic() + SECONDS
        while len(begun(directory)) < 6:
            assert time.monotonic() < end
            time.sleep(0.05)
        process.send(signal.SIGTERM)
        assert process.end()[0] == 0
    times = begun(directory)
    assert times[4] - times[0] > 1.8 * workers.REPLACEMENT


def begun(directory):
    path = directory / "begun"
    return [float(one) for one in path.read_text().split()] if path.exists() else []


async def test_a_worker_that_cannot_come_back_leaves_the_others_alone(directory):
    with_plugin(directory, "beginning", BEGINNING)
    loaded = ("--plugin", "silent", "--plugin", "speaking", "--plugin", "beginning")
    with serving(directory, *loaded, "--workers", "2") as process:
        async with session_with(process.url) as (websocket, alive):
            while len(begun(directory)) < 2:
                await asyncio.sleep(0.02)
            (directory / "fails").touch()
            [other] = [one.pid for one in children(process) if one.pid != alive]
            os.kill(other, signal.SIGKILL)
            await asyncio.to_thread(process.errors_until, "exited with code 3")
            (directory / "fails").unlink()
            while len(children(process)) < 2 or psutil.pid_exists(other):
                await asyncio.sleep(0.05)
            assert (await heard(websocket))["type"] == "AgentAudioDone"
            await websocket.send_json({"type": "Nonsense"})
            assert (await heard(websocket))["type"] == "Error"
        process.send(signal.SIGTERM)
        assert process.end()[0] == 0


def children(process):
    return psutil.Process(process.pid).children()


def test_that_a_worker_cannot_begin_does_not_matter_to_what_ends(directory):
    with_plugin(directory, "beginning", BEGINNING)
    (directory / "fails").touch()
    flags = ("--plugin", "silent", "--plugin", "beginning", "--workers", "2", *SHORT)
    with serving(directory, *flags, PAUSE="1") as process:
        process.send(signal.SIGTERM)
        status, _, errors = process.end()
    assert status == 0
    assert not [line for line in errors if "HaltServer" in line]


SCARCE = """
    import os

    from voiceproxy import hookimpl

    FAIL = {int(number) for number in os.environ["FAIL"].split()}
    fork, calls = os.fork, []


    def scarce():
        calls.append(1)
        if len(calls) in FAIL:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return fork()


    @hookimpl
    def voiceproxy_setup(app):
        os.fork = scarce
"""


def test_without_a_process_to_be_had_it_does_not_begin(directory):
    with_plugin(directory, "scarce", SCARCE)
    flags = ("--plugin", "silent", "--plugin", "scarce", "--workers", "2")
    ended = run(directory, *flags, "--port", "0", FAIL="1 2")
    assert ended.returncode == 1
    assert "a worker cannot be started: [Errno 11]" in ended.stderr
    assert "Traceback" not in ended.stderr


async def test_without_a_process_to_be_had_the_other_workers_go_on(directory):
    with_plugin(directory, "scarce", SCARCE)
    loaded = ("--plugin", "silent", "--plugin", "speaking", "--plugin", "scarce")
    with serving(directory, *loaded, "--workers", "2", FAIL="3") as process:
        async with session_with(process.url) as (_, first):
            pass
        async with asyncio.timeout(SECONDS):
            while len(children(process)) < 2:
                await asyncio.sleep(0.02)
            os.kill(first, signal.SIGKILL)
            await asyncio.to_thread(process.errors_until, "which is tried again")
            while len(children(process)) < 2:
                await asyncio.sleep(0.05)
        process.send(signal.SIGTERM)
        assert process.end()[0] == 0


async def test_a_hangup_of_the_terminal_ends_the_sessions_of_workers_in_order(directory):
    """Every process gets it; the workers leave the end to the one that was started."""
    flags = ("--plugin", "silent", "--plugin", "speaking", "--workers", "2")
    with serving(directory, *flags) as process:
        async with session_with(process.url) as (websocket, served_by):
            assert (await heard(websocket))["type"] == "AgentAudioDone"
            os.kill(served_by, signal.SIGHUP)
            await websocket.send_json({"type": "Nonsense"})
            assert (await heard(websocket))["type"] == "Error"
            process.send(signal.SIGHUP)
            assert (await heard(websocket))["type"] == "Error"
            assert await heard(websocket) == 1001
        assert process.end()[0] == 0


@pytest.mark.skipif(not workers.MEMORY.is_dir(), reason="this system has no such place")
def test_signs_of_life_need_no_disk(directory):
    with serving(directory, "--plugin", "silent", "--workers", "2") as process:
        end = time.monotonic() + SECONDS
        while not (files := signs_of_life(process)):
            assert time.monotonic() < end
        process.send(signal.SIGTERM)
        assert process.end()[0] == 0
    assert {Path(one).parent for one in files} == {workers.MEMORY}


def signs_of_life(process):
    opened = [os.readlink(one) for one in Path(f"/proc/{process.pid}/fd").glob("*")]  # noqa: PTH115
    return [one for one in opened if "wgunicorn" in one]


def test_gunicorn_is_named_when_it_is_not_installed(directory):
    (directory / "gunicorn.py").write_text(WITHOUT)
    ended = run(directory, "--plugin", "silent", "--workers", "2")
    assert ended.returncode == 2
    assert "python -m pip install 'voiceproxy[workers]'" in ended.stderr
    assert "Traceback" not in ended.stderr
