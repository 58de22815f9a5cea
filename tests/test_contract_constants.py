"""The contract's constants are the defaults of the settings (K)."""

from __future__ import annotations

from openai_session import Conversation, appended

from voiceproxy.talk.command import make_parser
from voiceproxy_openai.audio_input import append_frames
from voiceproxy_openai.settings import OpenAISettingsSchema

COMMIT, CREATE = "input_audio_buffer.commit", "response.create"
PCM = {"input": {"encoding": "linear16", "sample_rate": 24000}}


def test_a_manual_turn_waits_and_measures_as_the_contract_says_k_1_k_2_k_4():
    s = Conversation(audio=PCM, agent={"useOpenAIManualAudioCommit": True})
    s.client(bytes(47_998))
    s.advance(0.3)
    s.client(bytes(2))
    assert len(appended(s.sent())) == 48_000
    waited = 0.0
    while COMMIT not in (types := s.sent_types()):
        assert waited < 1
        s.client(bytes(2))
        s.advance(0.1)
        waited += 0.1
    assert types[-2:] == [COMMIT, CREATE]
    assert round(waited, 1) == 0.6


def test_an_append_holds_fifteen_mebibytes_and_no_more_k_5():
    limit = 15 * 1024 * 1024
    frames = [[frame.message()] for frame in append_frames(bytes(limit + 1))]
    assert [len(appended(frame)) for frame in frames] == [limit, 1]


def test_the_waits_have_these_defaults_k_3_k_9():
    loaded = OpenAISettingsSchema().load({})
    assert loaded.function_call_timeout == 20
    assert loaded.session_timeout == 10
    assert loaded.ack_timeout == 5
    assert loaded.response_timeout == 60
    assert (loaded.commit_debounce, loaded.commit_max_wait) == (0.4, 0.6)
    assert (loaded.commit_first_audio, loaded.commit_min_audio) == (1.0, 0.1)
    assert make_parser().parse_args([]).timeout == 20
