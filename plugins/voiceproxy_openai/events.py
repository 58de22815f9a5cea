"""The one table of the Realtime API's server events, and what becomes of each.

A row is either the method that handles the event, as ``part.method`` of the translator, or the
reason it is ignored. Beta names, which older and compatible servers still use, are normalised
before the table is asked.
"""

from __future__ import annotations

from typing import NamedTuple


class Handled(NamedTuple):
    """The event is handled by ``part.method`` of the translator."""

    method: str
    gives: str
    """What it gives the client, or what it settles. For the documentation."""


class Ignored(NamedTuple):
    """The event has no effect, on purpose."""

    reason: str


_REPORTED = "the item or response it belongs to is reported as a whole"
_WEBRTC = "WebRTC and SIP only; a WebSocket server does not send it"
_MCP = "tools the upstream runs itself; their result arrives as speech"

EVENTS: dict[str, Handled | Ignored] = {
    "error": Handled("error", "Error, or the end of the session; some are settled silently"),
    "session.created": Ignored("Settings have not been applied by it (SES-2)"),
    "session.updated": Handled("setup.updated", "SettingsApplied, then the greeting"),
    "conversation.created": Ignored("there is one conversation a session"),
    "conversation.item.created": Handled("items.added", "as conversation.item.added"),
    "conversation.item.added": Handled("items.added", "confirms an item; ConversationText"),
    "conversation.item.done": Handled("items.added", "confirms an item; ConversationText"),
    "conversation.item.retrieved": Ignored("nothing is retrieved"),
    "conversation.item.deleted": Ignored("nothing is deleted"),
    "conversation.item.truncated": Ignored("confirms what was asked after a barge-in"),
    "conversation.item.input_audio_transcription.delta": Handled(
        "transcripts.delta", "Transcript (interim)"
    ),
    "conversation.item.input_audio_transcription.completed": Handled(
        "transcripts.completed", "Transcript (final), ConversationText (user), History"
    ),
    "conversation.item.input_audio_transcription.segment": Ignored(
        "diarization; the completed transcript has the words"
    ),
    "conversation.item.input_audio_transcription.failed": Handled(
        "transcripts.failed", "forgets the interim transcript"
    ),
    "input_audio_buffer.committed": Handled("speech.committed", "a response may follow by itself"),
    "input_audio_buffer.cleared": Ignored("nothing is cleared"),
    "input_audio_buffer.speech_started": Handled("speech.started", "UserStartedSpeaking"),
    "input_audio_buffer.speech_stopped": Handled("speech.stopped", "UtteranceEnd"),
    "input_audio_buffer.timeout_triggered": Handled(
        "speech.timed_out", "drops the transcript of the silence"
    ),
    "input_audio_buffer.dtmf_event_received": Ignored("SIP only"),
    "output_audio_buffer.started": Ignored(_WEBRTC),
    "output_audio_buffer.stopped": Ignored(_WEBRTC),
    "output_audio_buffer.cleared": Ignored(_WEBRTC),
    "response.created": Handled("responses.created", "a response is active"),
    "response.done": Handled("responses.done", "AgentDone, AgentAudioDone; Error when it failed"),
    "response.output_item.added": Handled("output.item_added", "names a function call"),
    "response.output_item.done": Handled(
        "output.item_done", "ConversationText, FunctionCallRequest"
    ),
    "response.content_part.added": Ignored(_REPORTED),
    "response.content_part.done": Ignored(_REPORTED),
    "response.output_text.delta": Handled("output.text_delta", "AgentStartedSpeaking"),
    "response.output_text.done": Handled("output.text_done", "ConversationText where items lack"),
    "response.output_audio.delta": Handled("output.audio_delta", "AgentStartedSpeaking, audio"),
    "response.output_audio.done": Handled("output.audio_done", "the last samples of the item"),
    "response.output_audio_transcript.delta": Handled(
        "output.transcript_delta", "measures latency"
    ),
    "response.output_audio_transcript.done": Handled(
        "output.transcript_done", "ConversationText where items lack"
    ),
    "response.function_call_arguments.delta": Handled(
        "responses.goes_on", "the response is not silent; the whole arguments follow"
    ),
    "response.function_call_arguments.done": Handled("calls.arguments_done", "FunctionCallRequest"),
    "response.mcp_call_arguments.delta": Handled(
        "responses.goes_on", "the response is not silent; its speech follows"
    ),
    "response.mcp_call_arguments.done": Ignored(_MCP),
    "response.mcp_call.in_progress": Ignored(_MCP),
    "response.mcp_call.completed": Ignored(_MCP),
    "response.mcp_call.failed": Ignored(_MCP),
    "mcp_list_tools.in_progress": Ignored(_MCP),
    "mcp_list_tools.completed": Ignored(_MCP),
    "mcp_list_tools.failed": Ignored(_MCP),
    "rate_limits.updated": Ignored("the operator's business, not the client's"),
}

COMPATIBLE: dict[str, Handled | Ignored] = {
    "ping": Ignored("a keep-alive of xAI's and Inworld's servers"),
    "conversation.item.speaker": Ignored("LocalAI's speaker recognition"),
    "conversation.item.sound_detection": Ignored("LocalAI's sound detection"),
    "localai.classifier.result": Ignored("LocalAI's classifier"),
    "conversation.item.input_audio_transcription.updated": Ignored(
        "xAI's cumulative interim transcript; the completed one follows"
    ),
}
"""Events of compatible servers that OpenAI's own does not send."""

BETA_NAMES = {
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "transcription_session.updated": "session.updated",
}
"""The beta's names of events that still exist; ``conversation.item.created`` has its own row."""


ROWS: dict[str, Handled | Ignored] = {
    **EVENTS,
    **COMPATIBLE,
    **{beta: EVENTS[name] for beta, name in BETA_NAMES.items()},
}
"""The row of every event type there is, by its GA or its beta name."""
