"""``--plugin defaults`` in a process of its own."""

import asyncio
import json

import pytest
from proxy_process import run, serving

from voiceproxy.testing import connected

FILE = """
[overrides.agent]
greeting = "Welcome to the shop."
[profiles.brief.overrides.agent]
greeting = "Hi."
"""


def _plugins(backend):
    names = (backend, "simulator", "defaults")
    return [*(word for name in names for word in ("--plugin", name)), "--simulator-pace", "burst"]


async def _greeting(url, path):
    """What the agent says before the user says anything."""
    async with asyncio.timeout(20), connected(url + path) as socket:
        await socket.send_json(
            {
                "type": "Settings",
                "audio": {"input": {"encoding": "linear16", "sample_rate": 24000}},
                "agent": {
                    "listen": {"provider": {"type": "deepgram", "model": "nova-3"}},
                    "think": {"provider": {"type": "open_ai", "model": "gpt-4o-mini"}},
                    "speak": {"provider": {"type": "deepgram", "model": "aura-2-thalia-en"}},
                    "greeting": "I am the client's.",
                },
            }
        )
        while True:
            message = await socket.receive()
            said = json.loads(message.data) if isinstance(message.data, str) else {}
            if said.get("type") == "ConversationText":
                return said["content"]


@pytest.mark.parametrize("backend", ["openai", "deepgram"])
def test_the_agent_greets_as_the_file_says(tmp_path, backend):
    (tmp_path / "shop.toml").write_text(FILE)
    arguments = [*_plugins(backend), "--defaults-file", "shop.toml"]
    with serving(tmp_path, *arguments) as process:
        for path, greeting in (
            (f"/{backend}", "Welcome to the shop."),
            ("/v1/agent/converse?profile=brief", "Hi."),
        ):
            assert asyncio.run(_greeting(process.url, path)) == greeting


def test_a_wrong_file_ends_the_start_with_every_problem(tmp_path):
    (tmp_path / "shop.toml").write_text("[overrides.agent.think]\nprompt = 7\n[profile]\n")
    ended = run(tmp_path, *_plugins("openai"), "--defaults-file", "shop.toml")
    assert ended.returncode == 2
    label = "voiceproxy: error: VOICEPROXY_DEFAULTS_FILE (--defaults-file): shop.toml: "
    assert [line.removeprefix(label) for line in ended.stderr.splitlines()] == [
        "profile: unknown; there are defaults, overrides, endpoints, profiles",
        "overrides.agent.think.prompt: Must be a string.",
    ]
