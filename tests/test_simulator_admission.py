"""Which connections the API takes."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from voiceproxy_simulator.admission import Admission, admit
from voiceproxy_simulator.refusals import Refusal


def refused(
    query: dict[str, str], headers: dict[str, str] | None = None, **options: str
) -> Refusal:
    with pytest.raises(Refusal) as caught:
        admit(query, CIMultiDict(headers or {}), (), options.get("key"))
    return caught.value


@pytest.mark.parametrize(
    ("query", "admission"),
    [
        ({"model": "gpt-realtime-2.1"}, Admission("realtime", "gpt-realtime-2.1")),
        ({"model": "gpt-audio-mini"}, Admission("realtime", "gpt-audio-mini")),
        ({"call_id": "rtc_1"}, Admission("realtime", "gpt-realtime")),
        ({"intent": "transcription"}, Admission("transcription", "")),
    ],
)
def test_exactly_one_of_model_call_and_intent_is_asked_for(
    query: dict[str, str], admission: Admission
) -> None:
    assert admit(query, {}, (), None) == admission


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, "missing_model"),
        ({"model": ""}, "missing_model"),
        ({"model": "gpt-4o"}, "invalid_model"),
        ({"model": "gpt-realtime", "intent": "transcription"}, "invalid_model"),
        ({"model": "gpt-realtime", "call_id": "rtc_1"}, "invalid_model"),
        ({"intent": "conversation"}, "invalid_intent"),
    ],
)
def test_anything_else_is_refused_with_close_4000(query: dict[str, str], code: str) -> None:
    refusal = refused(query)
    assert (refusal.code, refusal.close_code, refusal.excused) == (code, 4000, False)


def test_the_beta_header_is_refused_with_close_4000() -> None:
    refusal = refused({"model": "gpt-realtime"}, {"openai-beta": "realtime=v1"})
    assert (refusal.code, refusal.close_code) == ("beta_api_shape_disabled", 4000)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer other"}])
def test_a_wrong_key_is_refused_with_close_3000_and_is_no_breach_of_contract(
    headers: dict[str, str],
) -> None:
    refusal = refused({"model": "gpt-realtime"}, headers, key="k")
    assert (refusal.code, refusal.close_code, refusal.excused) == ("invalid_api_key", 3000, True)


@pytest.mark.parametrize(
    ("headers", "protocols"),
    [
        ({"Authorization": "Bearer k"}, ()),
        ({"api-key": "k"}, ()),
        ({}, ("realtime", "openai-insecure-api-key.k")),
    ],
)
def test_the_key_comes_in_a_header_or_a_subprotocol(
    headers: dict[str, str], protocols: tuple[str, ...]
) -> None:
    assert admit({"model": "gpt-realtime"}, headers, protocols, "k").kind == "realtime"
