"""Voice Agent Settings to session.update (MAP)."""

from __future__ import annotations

import pytest
from openai_session import Conversation, check_client_event

from voiceproxy_openai.settings import OpenAISettings
from voiceproxy_openai.settings_mapping import (
    TOOL_SENTENCE,
    SessionPlan,
    UnsupportedSettings,
    asked_model,
    plan_session,
)

DEFAULTS = OpenAISettings()


def plan(agent=None, audio=None, settings=DEFAULTS, rate=16000, model="gpt-realtime-2.1", **more):
    message = {"type": "Settings", **more}
    if agent is not None:
        message["agent"] = agent
    if audio is not None:
        message["audio"] = audio
    planned = plan_session(message, settings, model, rate)
    check_client_event({"type": "session.update", "session": planned.session})
    return planned


def think(**options) -> SessionPlan:
    return plan({"think": options})


VAD = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 200,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}


@pytest.mark.parametrize("agent", [None, {}, {"think": None, "context": None, "listen": None}])
def test_minimal_settings_map_to_a_whole_session_map_1_map_5_map_8_map_16(agent):
    planned = plan(agent)
    assert planned.session == {
        "type": "realtime",
        "model": "gpt-realtime-2.1",
        "instructions": "",
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "transcription": {"model": "gpt-transcribe", "language": "en", "prompt": ""},
                "turn_detection": VAD,
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin"},
        },
    }
    assert (planned.greeting, planned.history, planned.warnings) == ("", True, [])


def test_the_models_by_default_have_no_announced_end():
    ended = ("gpt-realtime", "gpt-realtime-mini", "whisper-1", "gpt-4o-transcribe")
    assert DEFAULTS.model not in ended
    assert DEFAULTS.transcription_model not in ended


@pytest.mark.parametrize("asked", ["gpt-4o-mini", "", None])
def test_a_model_that_is_not_realtime_is_ignored_map_2_def_23(asked):
    planned = think(provider={"type": "open_ai", "model": asked})
    assert planned.session["model"] == "gpt-realtime-2.1"
    assert planned.warnings == []


def test_another_realtime_model_is_warned_of_because_the_connection_is_made_map_2():
    planned = think(provider={"type": "open_ai", "model": "gpt-realtime-2"})
    assert planned.session["model"] == "gpt-realtime-2.1"
    assert [code for code, _ in planned.warnings] == ["MODEL_NOT_APPLIED"]


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("gpt-realtime-2", "gpt-realtime-2"),
        (" gpt-4o-realtime-preview ", "gpt-4o-realtime-preview"),
        ("Qwen3-Omni-Realtime", "Qwen3-Omni-Realtime"),
        ("gpt-realtime-whisper", ""),
        ("gpt-realtime-translate", ""),
        ("gpt-4o-mini", ""),
    ],
)
def test_a_provider_model_counts_when_one_can_talk_with_it_map_2(name, asked):
    assert asked_model({"provider": {"model": name}}) == asked


def test_no_model_is_named_when_the_connection_has_none():
    assert "model" not in plan(model="").session


def test_think_may_be_a_fallback_chain():
    planned = plan({"think": [{"prompt": "first"}, {"prompt": "second"}]})
    assert planned.session["instructions"] == "first"


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ({"think": {"prompt": "Be kind."}}, "Be kind."),
        (
            {
                "think": {"prompt": "Be kind."},
                "context": {
                    "messages": [
                        {"role": "user", "content": " hi "},
                        {"role": "assistant", "content": "hello"},
                        {"role": "system", "content": "x"},
                    ]
                },
            },
            "Be kind.\n\nPrevious conversation:\nuser: hi\nassistant: hello\nuser: x",
        ),
        (
            {"context": {"messages": [{"type": "History", "role": "user", "content": "hi"}]}},
            "Previous conversation:\nuser: hi",
        ),
        (
            {
                "context": {
                    "messages": [
                        {"function_calls": [{"name": "f", "arguments": "{}", "response": "1"}]}
                    ]
                }
            },
            "Previous conversation:\nfunction f({}): 1",
        ),
        ({"context": {"messages": []}}, ""),
        ({"think": {"prompt": "P", "functions": [{"name": "f"}]}}, f"P\n\n{TOOL_SENTENCE}"),
        ({"think": {"functions": [{"name": "f"}]}}, TOOL_SENTENCE),
    ],
)
def test_instructions_are_prompt_context_and_tool_sentence_map_3_map_4_ses_12(agent, expected):
    assert plan(agent).session["instructions"] == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, None),
        (-1, None),
        (-5, None),
        ("x", None),
        (True, None),
        (0, 5000),
        (1234.4, 5000),
        (10000, 10000),
        (10000.5, 10001),
        (99999, 30000),
        (10**400, None),
    ],
)
def test_the_idle_timeout_is_rounded_and_clamped_map_6(given, expected):
    detection = plan({"idleTimeoutMs": given}).session["audio"]["input"]["turn_detection"]
    assert detection["idle_timeout_ms"] == expected


@pytest.mark.parametrize(("given", "manual"), [(True, True), (False, False), ("true", False)])
def test_manual_commit_turns_detection_off_map_7(given, manual):
    planned = plan({"useOpenAIManualAudioCommit": given, "idleTimeoutMs": 9000})
    assert (planned.session["audio"]["input"]["turn_detection"] is None) is manual
    assert planned.manual_commit is manual


def test_functions_become_flat_tools_map_9():
    planned = think(
        functions=[
            {"name": "f", "description": "d", "parameters": {"type": "object"}, "client_side": 1},
            {"name": "g", "endpoint": {"url": "http://x"}},
        ]
    )
    assert planned.session["tools"] == [
        {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}},
        {"type": "function", "name": "g", "parameters": {}},
    ]
    assert "tools" not in think(functions=[]).session


@pytest.mark.parametrize("choice", ["auto", "none", "required", {"type": "function", "name": "f"}])
def test_the_tool_choice_is_passed_as_given_map_10(choice):
    assert think(toolChoice=choice).session["tool_choice"] == choice


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (["text"], ["text"]),
        (["audio"], ["audio"]),
        (["text", "audio"], ["audio"]),
        (["video", "text", 5], ["text"]),
        (["video"], None),
        ([], None),
        ("text", None),
    ],
)
def test_one_output_modality_is_asked_for_map_11(asked, expected):
    assert think(outputModalities=asked).session.get("output_modalities") == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (1, 1),
        (4096, 4096),
        (100.0, 100),
        (4097, "inf"),
        (2**53 - 1, "inf"),
        (2**53, None),
        (0, None),
        (-3, None),
        (1.5, None),
        ("7", None),
        (True, None),
    ],
)
def test_the_output_tokens_are_a_positive_safe_integer_map_12(asked, expected):
    assert think(maxOutputTokens=asked).session.get("max_output_tokens") == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"id": " p ", "version": " 2 ", "variables": {"a": "b"}}, "whole"),
        ({"id": "p", "version": " ", "variables": ["a"]}, {"id": "p"}),
        ({"id": "p", "version": 3}, {"id": "p"}),
        ({"id": " "}, None),
        ({"version": "1"}, None),
        ("p", None),
    ],
)
def test_the_managed_prompt_is_normalised_map_13(asked, expected):
    if expected == "whole":
        expected = {"id": "p", "version": "2", "variables": {"a": "b"}}
    assert think(managedPrompt=asked).session.get("prompt") == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"voice": " cedar "}, {"voice": "cedar"}),
        ({"voice": {"id": "voice_1"}}, {"voice": {"id": "voice_1"}}),
        ({"voice": " ", "speed": 1.2}, {"voice": "marin", "speed": 1.2}),
        ({"speed": 0.1}, {"voice": "marin"}),
        ({"speed": 1.6}, {"voice": "marin"}),
        ({"speed": "1"}, {"voice": "marin"}),
        ({"format": {"type": "audio/pcm", "rate": 16000}}, {"voice": "marin"}),
        ({"format": {"type": "audio/opus"}}, {"voice": "marin"}),
        ("x", {"voice": "marin"}),
    ],
)
def test_the_session_audio_output_keeps_its_valid_pieces_map_14(asked, expected):
    output = plan({"sessionAudioOutput": asked}).session["audio"]["output"]
    assert output == {"format": {"type": "audio/pcm", "rate": 24000}, **expected}


def test_the_session_audio_output_format_is_the_upstreams_map_14():
    extras = {"sessionAudioOutput": {"format": {"type": "audio/pcmu"}}}
    alone = plan(extras)
    assert alone.session["audio"]["output"]["format"] == {"type": "audio/pcmu"}
    assert alone.upstream_output == alone.output
    both = plan(extras, {"output": {"encoding": "linear16", "sample_rate": 16000}})
    assert (both.upstream_output.encoding, both.output.encoding) == ("mulaw", "linear16")
    assert (both.upstream_output.rate, both.output.rate) == (8000, 16000)


def test_what_the_api_does_not_know_is_never_sent_map_15():
    planned = plan(
        {
            "language": "en",
            "listen": {"provider": {"type": "deepgram", "model": "nova-3", "smart_format": True}},
            "think": {
                "provider": {"type": "open_ai", "model": "gpt-4o", "temperature": 0.3},
                "endpoint": {"url": "https://x", "headers": {"authorization": "secret"}},
            },
            "speak": {"provider": {"type": "deepgram", "model": "aura-2-thalia-en"}},
        },
        tags=["a"],
        experimental=True,
        mip_opt_out=True,
    )
    assert "secret" not in str(planned.session)
    assert "temperature" not in str(planned.session)


@pytest.mark.parametrize(
    ("speak", "voice"),
    [
        ({"provider": {"type": "open_ai", "model": "tts-1", "voice": "Coral"}}, "coral"),
        ([{"provider": {"model": "aura-2"}}, {"provider": {"voice": "ash"}}], "ash"),
        ({"provider": {"type": "open_ai", "voice": "voice_77"}}, {"id": "voice_77"}),
        ({"provider": {"voice": {"mode": "id", "id": "voice_77"}}}, {"id": "voice_77"}),
    ],
)
def test_a_voice_of_openais_is_taken_from_speak(speak, voice):
    planned = plan({"speak": speak})
    assert planned.session["audio"]["output"]["voice"] == voice
    assert planned.warnings == []


@pytest.mark.parametrize(
    "provider",
    [
        {"type": "deepgram", "model": "aura-2-thalia-en"},
        {"type": "cartesia", "model_id": "sonic-2", "voice": {"mode": "id", "id": "aura-0e99"}},
        {"type": "eleven_labs", "model_id": "aura_turbo_v2_5"},
    ],
)
def test_another_vendors_voice_falls_back_with_a_warning(provider):
    planned = plan({"speak": {"provider": provider}})
    assert planned.session["audio"]["output"]["voice"] == "marin"
    assert [code for code, _ in planned.warnings] == ["VOICE_NOT_AVAILABLE"]
    assert "aura" not in planned.warnings[0][1]


def test_without_a_default_voice_the_servers_own_speaks():
    assert "voice" not in plan(settings=OpenAISettings(voice="")).session["audio"]["output"]


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ({"language": "de"}, "de"),
        ({"language": "pt-BR"}, "pt"),
        ({"language": "de", "listen": {"provider": {"language": "fr_CA"}}}, "fr"),
        ({"language": "multi"}, None),
        ({"language": "de", "listen": {"provider": {"language_hints": ["es-419"]}}}, "es"),
        ({"listen": {"provider": {"language": "fr", "language_hints": ["es"]}}}, "fr"),
        ({}, "en"),
    ],
)
def test_the_language_goes_to_the_transcription_def_22(agent, expected):
    transcription = plan(agent).session["audio"]["input"]["transcription"]
    assert transcription.get("language") == expected


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-transcribe", {"languages": ["en", "fr"], "prompt": "Hm.", "keywords": ["Zyx", "Q"]}),
        ("gpt-4o-transcribe", {"prompt": "Hm. Zyx, Q"}),
        ("gpt-4o-transcribe-diarize", {}),
        ("gpt-realtime-whisper", {}),
    ],
)
def test_transcription_gets_only_what_its_model_takes(model, expected):
    given = {"keyterms": ["Zyx", 5, " ", "Q"], "language_hints": ["en", "fr"]}
    settings = OpenAISettings(transcription_model=model, transcription_prompt="Hm.")
    planned = plan({"listen": {"provider": given}}, settings=settings)
    assert planned.session["audio"]["input"]["transcription"] == {"model": model, **expected}


def test_transcription_can_be_turned_off():
    planned = plan(settings=OpenAISettings(transcription_model=""))
    assert planned.session["audio"]["input"]["transcription"] is None


@pytest.mark.parametrize(
    ("given", "native", "rate"),
    [
        (
            {"encoding": "linear16", "sample_rate": 16000},
            {"type": "audio/pcm", "rate": 24000},
            16000,
        ),
        (
            {"encoding": "linear16", "sample_rate": 48000},
            {"type": "audio/pcm", "rate": 24000},
            48000,
        ),
        ({"encoding": "mulaw", "sample_rate": 8000}, {"type": "audio/pcmu"}, 8000),
        ({"encoding": "alaw"}, {"type": "audio/pcma"}, 8000),
        ({"encoding": "mulaw", "sample_rate": 16000}, {"type": "audio/pcm", "rate": 24000}, 16000),
        ({"sample_rate": None, "encoding": None}, {"type": "audio/pcm", "rate": 24000}, 16000),
    ],
)
def test_the_input_format_is_the_clients_def_22(given, native, rate):
    planned = plan(audio={"input": given})
    assert planned.session["audio"]["input"]["format"] == native
    assert planned.input.rate == rate


@pytest.mark.parametrize(("dialect", "rate"), [("component", 16000), ("agent", 24000)])
def test_the_default_input_rate_is_the_dialects(dialect, rate):
    s = Conversation(dialect)
    s.client(bytes(2 * rate))
    s.client(bytes(2 * rate))
    sent = sum(len(event["audio"]) * 3 // 4 for event in s.sent())
    assert abs(sent - 2 * 48000) < 200


@pytest.mark.parametrize(
    ("audio", "named"),
    [
        ({"input": {"encoding": "opus", "sample_rate": 48000}}, "audio.input.encoding: 'opus'"),
        ({"input": {"encoding": "linear16", "sample_rate": 7999}}, "audio.input.sample_rate: 7999"),
        ({"output": {"encoding": "mp3"}}, "audio.output.encoding: 'mp3'"),
        ({"output": {"sample_rate": 96000}}, "audio.output.sample_rate: 96000"),
        ({"output": {"container": "ogg"}}, "audio.output.container: 'ogg'"),
        ({"output": {"encoding": "opus", "container": "ogg"}}, "audio.output.encoding: 'opus'"),
    ],
)
def test_audio_that_cannot_be_served_is_refused_by_name(audio, named):
    with pytest.raises(UnsupportedSettings) as refusal:
        plan(audio=audio)
    assert named in str(refusal.value)


def test_a_stored_agent_is_refused_by_name():
    with pytest.raises(UnsupportedSettings, match="agent: stored agents"):
        plan("11111111-2222-3333-4444-555555555555")


@pytest.mark.parametrize(
    ("agent", "greeting"),
    [
        ({"greeting": "Hi"}, "Hi"),
        ({"greeting": " "}, ""),
        ({"greeting": "Hi", "context": {"messages": [{"role": "user", "content": "x"}]}}, ""),
        ({"greeting": "Hi", "context": {"messages": []}}, "Hi"),
    ],
)
def test_the_greeting_is_kept_unless_a_conversation_goes_on_ses_9_ses_10(agent, greeting):
    assert plan(agent).greeting == greeting


def test_the_history_flag_is_read():
    assert plan(flags={"history": False}).history is False
    assert plan(flags={"history": True}).history is True
