"""Every Deepgram scenario by its name: what the service does on a bad day.

To add one: a small class where its like are, and a line here. The first line of its docstring is
its description.
"""

from __future__ import annotations

from voiceproxy_simulator.deepgram.agent_early_ends import (
    Close1011,
    Close4001,
    ErrorMidTurn,
    FailedToThink,
    GoingAway,
    Reset,
)
from voiceproxy_simulator.deepgram.agent_late_answers import (
    Impatient,
    InvalidSettings,
    LateAudioDone,
    LateSettings,
    LateWelcome,
    NoAudioDone,
    NoSettingsApplied,
    NoWelcome,
    ShortSession,
)
from voiceproxy_simulator.deepgram.agent_odd_frames import (
    BigFrames,
    Junk,
    NoForceEndTurn,
    OddAudio,
    ThinkLive,
    UnknownMessages,
)
from voiceproxy_simulator.deepgram.agent_odd_turns import (
    BargeIn,
    Burst,
    CancelledCall,
    NoThinking,
    ParallelCalls,
    SlowThink,
    SpokenCall,
    Stall,
    TextAfterAudio,
    TextOnly,
    WordsLast,
)
from voiceproxy_simulator.deepgram.refused_handshakes import (
    Refused400,
    Refused401,
    Refused402,
    Refused403,
    Refused429,
    Refused500,
    Refused503,
    SilentHandshake,
)
from voiceproxy_simulator.deepgram.scenario import DeepgramScenario

DEEPGRAM_SCENARIOS: dict[str, type[DeepgramScenario]] = {
    # No session
    "refused-400": Refused400,
    "refused-401": Refused401,
    "refused-402": Refused402,
    "refused-403": Refused403,
    "refused-429": Refused429,
    "refused-500": Refused500,
    "refused-503": Refused503,
    "silent-handshake": SilentHandshake,
    # Confirmed late, not at all, or refused
    "late-welcome": LateWelcome,
    "no-welcome": NoWelcome,
    "late-settings": LateSettings,
    "no-settings-applied": NoSettingsApplied,
    "invalid-settings": InvalidSettings,
    "no-audio-done": NoAudioDone,
    "late-audio-done": LateAudioDone,
    "impatient": Impatient,
    "short-session": ShortSession,
    # Odd turns
    "no-thinking": NoThinking,
    "text-only": TextOnly,
    "text-after-audio": TextAfterAudio,
    "words-last": WordsLast,
    "stall": Stall,
    "barge-in": BargeIn,
    "cancelled-call": CancelledCall,
    "parallel-calls": ParallelCalls,
    "spoken-call": SpokenCall,
    "burst": Burst,
    "slow-think": SlowThink,
    # Early ends
    "error-mid-turn": ErrorMidTurn,
    "failed-to-think": FailedToThink,
    "going-away": GoingAway,
    "close-1011": Close1011,
    "close-4001": Close4001,
    "reset": Reset,
    # Odd frames, and what a project may have
    "think-live": ThinkLive,
    "no-force-end-turn": NoForceEndTurn,
    "unknown-messages": UnknownMessages,
    "junk": Junk,
    "odd-audio": OddAudio,
    "big-frames": BigFrames,
}
"""Every scenario a setting may name."""


def deepgram_scenario_class(
    scenario: str | type[DeepgramScenario] | None,
) -> type[DeepgramScenario]:
    """The class behind a name; None and ``""`` are the service as it should be. Raises
    ValueError."""
    if not scenario:
        return DeepgramScenario
    if not isinstance(scenario, str):
        return scenario
    if scenario not in DEEPGRAM_SCENARIOS:
        known = ", ".join(DEEPGRAM_SCENARIOS)
        raise ValueError(f"unknown scenario {scenario!r}; there are: {known}")
    return DEEPGRAM_SCENARIOS[scenario]
