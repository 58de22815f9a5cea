"""``--plugin logging`` in a process of its own, with the backend and the simulator behind it."""

import asyncio
import json
import signal
from pathlib import Path

import pytest
from otlp_receiver import otlp_receiver, values
from proxy_process import run, serving

from voiceproxy.testing import connected

PLUGINS = [word for name in ("openai", "simulator", "logging") for word in ("--plugin", name)]
SETTINGS = {
    "type": "Settings",
    "audio": {"input": {"encoding": "linear16", "sample_rate": 24000}},
    "agent": {
        "listen": {"provider": {"type": "deepgram", "model": "nova-3"}},
        "think": {"provider": {"type": "open_ai", "model": "gpt-4o-mini"}},
        "speak": {"provider": {"type": "deepgram", "model": "aura-2-thalia-en"}},
    },
}
BURST = ("--simulator-pace", "burst")
QUESTION = "what is the capital of France"


async def _talk(url, path, question):
    """Ask one question, hear the answer out, leave."""
    async with asyncio.timeout(20), connected(url + path) as socket:
        await socket.send_json(SETTINGS)
        kind = ""
        while kind != "AgentAudioDone":
            message = await socket.receive()
            kind = json.loads(message.data)["type"] if isinstance(message.data, str) else ""
            if kind == "SettingsApplied":
                await socket.send_json({"type": "InjectUserMessage", "content": question})


def _lines(
    directory: Path, path: str, *arguments: str, question: str = QUESTION, **variables: str
) -> list[str]:
    """What a server with one session writes to stderr after its list of plugins."""
    with serving(directory, *PLUGINS, *BURST, *arguments, **variables) as process:
        asyncio.run(_talk(process.url, path, question))
        process.send(signal.SIGTERM)
        status, _, lines = process.end()
    assert status == 0
    assert lines[0].startswith("plugins: ")
    return lines[1:]


@pytest.mark.parametrize("backend", ["openai", "deepgram"])
def test_every_line_is_an_object_and_one_session_has_one_of_each_event(tmp_path, backend):
    path, first = "/v1/agent/converse?traceId=c1", {"VOICEPROXY_PLUGINS": backend}
    lines = _lines(tmp_path, path, "--logging-format", "json", **first)
    records = [json.loads(line) for line in lines]
    events = [one.get("event") for one in records]
    assert [events.count(name) for name in ("connect", "upstream_open", "close")] == [1, 1, 1]
    session = [one for one in records if one["logger"] == "voiceproxy.logging"]
    assert {one["trace_id"] for one in session} == {"d0f631ca1ddba8db3bcfcb9e057cdc98"}
    [connect] = [one for one in session if one["event"] == "connect"]
    assert (connect["endpoint"], connect["dialect"]) == (backend, "agent")
    [close] = [one for one in session if one["event"] == "close"]
    assert close["turns"] == 1
    assert close["to_client.bytes"] > 10_000
    types = [one.get("message_type") for one in session]
    assert {"Settings", "Welcome", "InjectUserMessage", "AgentAudioDone"} <= set(types)
    assert QUESTION not in json.dumps(records)
    assert "stopping" in [one["message"] for one in records]
    assert any(one["message"].startswith("simulating ") for one in records)


def test_lines_for_people_begin_with_the_trace_id_and_need_no_extra(tmp_path):
    (tmp_path / "opentelemetry.py").write_text("raise ModuleNotFoundError(name='opentelemetry')\n")
    lines = _lines(tmp_path, "/openai?traceId=c1", "--no-logging-messages")
    told = [line.split("INFO ", 1)[1] for line in lines if "[c1]" in line]
    assert [line.split()[1] for line in told] == ["connect", "upstream_open", "close"]
    assert told[0].startswith("[c1] connect endpoint=openai url.path=/openai protocol=agent")


def test_the_level_of_the_server_is_that_of_the_records_log_1(tmp_path):
    assert _lines(tmp_path, "/openai", LOG_LEVEL="warning") == []


def test_content_is_written_when_asked_for_with_a_warning_first(tmp_path):
    lines = _lines(tmp_path, "/openai", "--logging-content")
    assert "WARNING the log holds what is said and typed" in lines[0]
    assert any(QUESTION in line for line in lines)


def test_content_is_what_redaction_leaves(tmp_path):
    question = "write to ada.lovelace@example.com about France"
    arguments = ("--plugin", "redaction", "--logging-content")
    text = "\n".join(_lines(tmp_path, "/openai", *arguments, question=question))
    assert "about France" in text
    assert "lovelace" not in text


def test_telemetry_is_sent_before_the_process_ends(tmp_path):
    async def receive():
        async with otlp_receiver() as receiver:
            arguments = ("--logging-otel", "--logging-otel-endpoint", receiver.url)
            await asyncio.to_thread(_lines, tmp_path, "/openai", *arguments)
        return receiver

    received = asyncio.run(receive())
    [session], [turn] = received.sessions, received.turns
    assert values(session)["gen_ai.provider.name"] == "openai"
    assert turn.parent_span_id == session.span_id
    assert values(turn)["gen_ai.response.time_to_first_chunk"] > 0
    assert len(received.events("close")) == 1


def test_without_the_extra_the_setting_says_what_to_install(tmp_path):
    missing = "raise ModuleNotFoundError('No module', name='opentelemetry')\n"
    (tmp_path / "opentelemetry.py").write_text(missing)
    ended = run(tmp_path, *PLUGINS, "--logging-otel")
    assert ended.returncode == 2
    [line] = [one for one in ended.stderr.splitlines() if "otel" in one]
    assert line == (
        "voiceproxy: error: VOICEPROXY_LOGGING_OTEL (--logging-otel): needs the extra otel: "
        "pip install 'voiceproxy[otel]' (there is no module 'opentelemetry')"
    )
