"""Whatever a client sends to listen and speak, the simulator answers with messages of the SDK."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
import test_simulator_deepgram_listen_v1 as listen_v1
import test_simulator_deepgram_listen_v2 as listen_v2
import test_simulator_deepgram_speak_v1 as speak_v1
import test_simulator_deepgram_speak_v2 as speak_v2
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_rehearsal import StreamRehearsal, check_by_sdk

from voiceproxy_simulator.testing import silence, tone

APIS = {
    "listen v1": (
        lambda: listen_v1.Listening(interim_results="true", utterance_end_ms="1000"),
        listen_v1.SDK,
    ),
    "listen v2": (lambda: listen_v2.Turns(eager_eot_threshold=0.4), listen_v2.SDK),
    "speak v1": (speak_v1.Speaking, speak_v1.SDK),
    "speak v2": (lambda: speak_v2.Speaking(pace="realtime"), speak_v2.SDK),
}

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 10**6) | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=4,
)
FIELDS = st.sampled_from(
    ["text", "channel", "keyterms", "features", "thresholds", "speed", "playback_offset", "x"]
)
PIECES = st.sampled_from([silence(0.3, 16000), tone(0.3, 16000), tone(0.1, 16000)[:1001]])
SPOKEN = st.fixed_dictionaries({"type": st.just("Speak"), "text": st.text(max_size=40)})


def frames(kinds: list[str]) -> st.SearchStrategy[list[Any]]:
    """Sound messages, near misses, junk and audio."""
    kind = st.sampled_from([*kinds, "KeepAlive", "Unknown"])
    bare = kind.map(lambda one: {"type": one})
    near = st.tuples(st.dictionaries(FIELDS, VALUES, max_size=2), kind)
    odd = near.map(lambda one: {**one[0], "type": one[1]})
    message = (bare | odd | SPOKEN).map(lambda one: orjson.dumps(one).decode())
    return st.lists(PIECES | PIECES | message | st.text(max_size=10), max_size=12)


@pytest.mark.parametrize("api", APIS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_frames_are_answered_in_the_api_s_own_words(api: str, data: st.DataObject):
    make, models = APIS[api]
    session: StreamRehearsal = make()
    for frame in data.draw(frames([*session.stream.shapes])):
        session.client(frame)
        session.line.advance(0.1)
        check_by_sdk(session.messages(), models)
    assert len(session.violations) <= 12
