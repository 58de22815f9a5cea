"""Well-formed Settings: what can be served, what cannot, and the defaults."""

from __future__ import annotations

from typing import Any

import pytest
from test_simulator_deepgram_agent_messages import CheckedAgent

from voiceproxy_simulator.deepgram.agent_configuration import Configuration
from voiceproxy_simulator.deepgram.rehearsal import SETTINGS, settings
from voiceproxy_simulator.deepgram.scenario import Message


def refusal(message: Message) -> tuple[str, str] | None:
    """The code and description Settings are refused with, if they are."""
    rehearsal = CheckedAgent(None)
    rehearsal.client(message)
    errors = [one for one in rehearsal.messages() if one["type"] == "Error"]
    if not errors:
        return None
    assert rehearsal.closed is not None
    return errors[0]["code"], errors[0]["description"]


def provider(place: str, **fields: Any) -> Message:
    return settings(**{place: {"provider": fields}})


def flux(**fields: Any) -> Message:
    return provider("listen", type="deepgram", version="v2", model="flux-general-en", **fields)


AVAILABLE = [
    provider("think", type="open_ai", model="gpt-4o-mini"),
    provider("think", type="open_ai", model="o4-mini"),
    provider("think", type="anthropic", model="claude-sonnet-4-20250514"),
    provider("think", type="open_ai", model="gpt-4o", temperature=2),
    provider("think", type="anthropic", model="claude-x", temperature=0),
    provider("think", type="google", model="gemini-2.5-flash"),
    provider("think", type="groq", model="openai/gpt-oss-20b"),
    provider("think", type="deepgram", model="think-fast"),
    provider("think", type="aws_bedrock", model="anthropic/claude-3-5-haiku-20240307-v1:0"),
    provider("listen", type="deepgram"),
    provider("listen", type="deepgram", model="nova-3"),
    provider("listen", type="deepgram", version="v2", model="flux-general-en"),
    flux(eot_threshold=1, eager_eot_threshold=0.3, eot_timeout_ms=500),
    provider("speak", type="deepgram", model="aura-asteria-en"),
    provider("speak", type="deepgram", version="v2", model="flux-kit-en", expressivity=3),
    provider("speak", type="eleven_labs", model_id="eleven_turbo_v2_5"),
    provider("speak", type="cartesia", model_id="sonic-2", voice={"mode": "id", "id": "v"}),
    provider("speak", type="open_ai", model="tts-1", voice="alloy"),
    provider(
        "speak",
        type="aws_polly",
        voice="Joanna",
        language="en-US",
        engine="neural",
        credentials={"type": "iam", "region": "r", "access_key_id": "a", "secret_access_key": "s"},
    ),
    {**SETTINGS, "agent": {}},
    {**SETTINGS, "agent": "12345678-1234-1234-1234-123456789012"},
    {"type": "Settings", "audio": {}, "agent": {}},
]


@pytest.mark.parametrize("message", AVAILABLE)
def test_these_settings_are_applied(message: Message) -> None:
    rehearsal = CheckedAgent(None)
    rehearsal.client(message)
    rehearsal.advance(0.005)
    assert rehearsal.types() == ["Welcome", "SettingsApplied"]


UNAVAILABLE = [
    (provider("think", type="open_ai", model="claude-9"), "agent.think.provider.model"),
    (provider("think", type="anthropic", model="gpt-5"), "agent.think.provider.model"),
    (provider("listen", type="deepgram", model="ears-1"), "agent.listen.provider.model"),
    (
        provider("listen", type="deepgram", version="v2", model="nova-3"),
        "agent.listen.provider.model",
    ),
    (provider("speak", type="deepgram", model="alloy"), "agent.speak.provider.model"),
    (provider("speak", type="eleven_labs", model_id="tts-1"), "agent.speak.provider.model_id"),
    (settings(functions=[{"name": "f"}, {}]), "agent.think.functions[1].name"),
    (
        provider("think", type="open_ai", model="gpt-4o", temperature=2.1),
        "agent.think.provider.temperature must be from 0 to 2",
    ),
    (
        provider("think", type="anthropic", model="claude-x", temperature=1.1),
        "agent.think.provider.temperature must be from 0 to 1",
    ),
    (flux(eot_threshold=0.4), "agent.listen.provider.eot_threshold must be from 0.5 to 1"),
    (flux(eager_eot_threshold=0.95), "agent.listen.provider.eager_eot_threshold"),
    (flux(eot_timeout_ms=10), "agent.listen.provider.eot_timeout_ms"),
]


@pytest.mark.parametrize(("message", "path"), UNAVAILABLE)
def test_what_does_not_exist_is_refused_by_name(message: Message, path: str) -> None:
    found = refusal(message)
    assert found is not None
    assert found[0] == "INVALID_SETTINGS"
    assert path in found[1]


def test_a_model_at_an_endpoint_of_the_clients_own_is_its_own_business() -> None:
    own = {"provider": {"type": "open_ai", "model": "llama"}, "endpoint": {"url": "https://x"}}
    assert refusal(settings(think=own)) is None


def test_every_link_of_a_fallback_chain_is_looked_at() -> None:
    good = SETTINGS["agent"]["speak"]
    bad = {"provider": {"type": "deepgram", "model": "bad"}}
    assert refusal(settings(speak=[good, good])) is None
    assert refusal(settings(speak=[good, bad])) is not None


def test_the_id_of_a_stored_agent_is_a_uuid() -> None:
    found = refusal({**SETTINGS, "agent": "my agent"})
    assert found is not None
    assert found[0] == "INVALID_AGENT_ID"


OUTPUTS = [
    ({}, None, ("linear16", 24000)),
    ({"encoding": "linear16", "sample_rate": 48000}, None, ("linear16", 48000)),
    ({"sample_rate": 8000, "container": "none"}, None, ("linear16", 8000)),
    ({"encoding": "mulaw"}, None, ("mulaw", 8000)),
    ({"encoding": "alaw", "sample_rate": 16000}, None, ("alaw", 16000)),
    ({"encoding": "linear16", "sample_rate": 22050}, "sample_rate for linear16", None),
    ({"encoding": "mulaw", "sample_rate": 24000}, "sample_rate for mulaw", None),
    ({"encoding": "mp3"}, "The simulator makes linear16, mulaw and alaw", None),
    ({"container": "wav"}, "not linear16 in wav", None),
]


@pytest.mark.parametrize(("output", "problem", "made"), OUTPUTS)
def test_audio_output(
    output: dict[str, Any], problem: str | None, made: tuple[str, int] | None
) -> None:
    message = settings({"output": output})
    if problem is None:
        chosen = Configuration(message, think_live=False).output
        assert (chosen.name, chosen.rate) == made
    else:
        found = refusal(message)
        assert found is not None
        assert found[0] == "INVALID_SETTINGS"
        assert problem in found[1]


def test_a_flux_voice_makes_raw_audio_only_and_is_the_default() -> None:
    message = {**SETTINGS, "audio": {"output": {"encoding": "mp3"}}, "agent": {}}
    found = refusal(message)
    assert found is not None
    assert found[1].startswith("A Flux voice makes")


@pytest.mark.parametrize("rate", [0, -1, 7999, 96000])
def test_nobody_records_at_such_a_rate(rate: int) -> None:
    found = refusal(settings({"input": {"encoding": "linear16", "sample_rate": rate}}))
    assert found == ("INVALID_SETTINGS", "audio.input.sample_rate is not supported.")


def test_no_audio_input_is_linear16_at_24_khz() -> None:
    chosen = Configuration(settings({"output": {}}), think_live=False).input
    assert chosen is not None
    assert (chosen.name, chosen.rate) == ("linear16", 24000)


def test_encoded_audio_is_accepted_and_cannot_be_heard() -> None:
    audio = {"input": {"encoding": "opus", "sample_rate": 48000}}
    assert Configuration(settings(audio), think_live=False).input is None


@pytest.mark.parametrize(
    ("speak", "voice"),
    [
        (None, "flux-kit-en"),
        ({"provider": {"type": "deepgram", "model": "aura-2-thalia-en"}}, "aura-2-thalia-en"),
        ({"provider": {"type": "open_ai", "model": "tts-1", "voice": "alloy"}}, "alloy"),
        ({"provider": {"type": "eleven_labs", "model_id": "eleven_x"}}, "eleven_x"),
        (
            {"provider": {"type": "cartesia", "model_id": "sonic", "voice": {"id": "v1"}}},
            "v1",
        ),
    ],
)
def test_the_voice_is_the_first_of_the_chain(speak: dict[str, Any] | None, voice: str) -> None:
    chain = speak if speak is None else [speak, SETTINGS["agent"]["speak"]]
    assert Configuration(settings(speak=chain), think_live=False).voice == voice
