"""Errors of the host as each of Deepgram's protocols has them: the newest SDK reads them."""

from __future__ import annotations

import pytest
from deepgram.listen.v1.types import ListenV1Error
from deepgram.listen.v2.types import ListenV2FatalError
from deepgram.speak.v2.types import SpeakV2Error

from voiceproxy.testing import drive
from voiceproxy_deepgram.backend import Backend
from voiceproxy_deepgram.settings import DeepgramSettings

BY_PATH = {one.path: one for one in Backend(DeepgramSettings()).endpoints()}


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1/listen", ListenV1Error),
        ("/v2/listen", ListenV2FatalError),
        ("/v2/speak", SpeakV2Error),
    ],
)
def test_an_error_of_ours_is_one_the_sdk_knows(path, model):
    frame = BY_PATH[path].error("No connection.", "upstream_unreachable")
    error = model.model_validate(frame.message())
    assert (error.type, error.description) == ("Error", "No connection.")
    assert "upstream_unreachable" in (getattr(error, "variant", ""), error.code)


def test_speak_v1_has_no_error_so_the_close_says_it():
    endpoint = BY_PATH["/v1/speak"]
    s = drive(protocol=endpoint.protocol, error=endpoint.error)
    s.core.ending.fail("frame_too_big", "Too much.", 1009, "client")
    assert s.to_client() == []
    assert (s.closed.code, s.closed.reason) == (1009, "Too much.")


def test_the_agents_errors_are_the_voice_agents():
    frame = BY_PATH["/deepgram"].error("Why.", "CODE")
    assert frame.message() == {"type": "Error", "description": "Why.", "code": "CODE"}
