"""Where speech begins and ends, in milliseconds of audio."""

from __future__ import annotations

import numpy as np
import pytest

from voiceproxy_simulator.formats import PCM, Samples
from voiceproxy_simulator.testing import silence, tone
from voiceproxy_simulator.vad import Boundary, Detector


def samples(*parts: bytes) -> Samples:
    return PCM.decode(b"".join(parts))


def boundaries(detector: Detector, audio: Samples, chunk: int = 700) -> list[Boundary]:
    found: list[Boundary] = []
    for start in range(0, len(audio), chunk):
        found += detector.feed(audio[start : start + chunk])
    return found


@pytest.mark.parametrize("chunk", [100, 480, 700, 24000, 10**6])
def test_boundaries_do_not_depend_on_how_audio_is_cut(chunk: int) -> None:
    audio = samples(silence(0.4), tone(1.0), silence(0.5), tone(0.3), silence(0.3))
    assert boundaries(Detector(24000), audio, chunk) == [
        Boundary("started", 400),
        Boundary("stopped", 1600),
        Boundary("started", 1900),
        Boundary("stopped", 2400),
    ]


def test_an_utterance_ends_after_the_silence_that_was_asked_for() -> None:
    audio = samples(tone(0.5), silence(0.4), tone(0.5), silence(1.0))
    found = boundaries(Detector(24000, silence_ms=500), audio)
    assert found == [Boundary("started", 0), Boundary("stopped", 1900)]


def test_a_click_is_no_speech() -> None:
    assert boundaries(Detector(24000), samples(silence(0.1), tone(0.02), silence(0.3))) == []


@pytest.mark.parametrize(("threshold", "heard"), [(0.1, True), (0.5, False), (1.0, False)])
def test_a_higher_threshold_needs_louder_speech(threshold: float, heard: bool) -> None:
    quiet = samples(tone(0.5, amplitude=0.005))
    assert bool(boundaries(Detector(24000, threshold), quiet)) is heard


def test_speech_is_measured_from_its_first_loud_frame_to_its_last() -> None:
    detector = Detector(24000)
    assert detector.voiced_ms == 0
    boundaries(detector, samples(silence(0.2), tone(0.8), silence(0.6)))
    assert detector.voiced_ms == 800
    detector.forget()
    assert (detector.voiced_ms, detector.speaking) == (0, False)


def test_a_detector_may_begin_in_the_middle_of_a_session() -> None:
    found = boundaries(Detector(8000, at_ms=5000), np.full(1600, 0.5, dtype=np.float32))
    assert found == [Boundary("started", 5000)]
