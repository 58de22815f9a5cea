"""The simulator's voice: audible, proportional to its text, and in words."""

from __future__ import annotations

import numpy as np
import pytest

from voiceproxy_simulator.formats import FORMATS, PCM
from voiceproxy_simulator.speech import DELTA_SECONDS, Speech

TEXT = 'You said "hello there".'


def test_words_joined_are_the_text() -> None:
    assert "".join(word.text for word in Speech(TEXT, PCM).words) == TEXT


@pytest.mark.parametrize("name", list(FORMATS))
def test_deltas_last_as_long_as_the_words_say(name: str) -> None:
    form = FORMATS[name]
    speech = Speech(TEXT, form)
    deltas = list(speech.deltas())
    assert form.milliseconds(sum(map(len, deltas))) == pytest.approx(speech.seconds * 1000, abs=1)
    assert {form.milliseconds(len(delta)) for delta in deltas[:-1]} == {DELTA_SECONDS * 1000}


def test_speech_is_audible_and_does_not_clip() -> None:
    samples = PCM.decode(b"".join(Speech(TEXT, PCM).deltas()))
    assert 0.03 < np.sqrt(np.mean(samples**2)) < 0.3
    assert np.max(np.abs(samples)) <= 0.26


def test_a_longer_text_takes_longer_and_a_faster_voice_less() -> None:
    assert Speech("ten six ten six", PCM).seconds == 2 * Speech("ten six", PCM).seconds
    slow, fast = Speech(TEXT, PCM, speed=0.5), Speech(TEXT, PCM, speed=1.0)
    assert slow.seconds == pytest.approx(2 * fast.seconds)


def test_a_sentence_ends_in_a_pause() -> None:
    with_pause, without = Speech("yes.", PCM), Speech("yes", PCM)
    assert with_pause.seconds - without.seconds == pytest.approx(0.22)


def test_voices_differ() -> None:
    assert list(Speech(TEXT, PCM, "alloy").deltas()) != list(Speech(TEXT, PCM, "cedar").deltas())


def test_an_empty_text_is_no_audio() -> None:
    assert list(Speech("", PCM).deltas()) == []
    assert Speech("hm", PCM).seconds > 0.1
