"""What the agent says: audio and text of its responses, each to the client once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from voiceproxy_openai.audio_output import AudioOutput, decode_delta
from voiceproxy_openai.memory import Recent
from voiceproxy_openai.reading import (
    Event,
    MalformedEvent,
    integer_at,
    object_at,
    objects_at,
    text_at,
)
from voiceproxy_openai.responses import Response, Responses, ResponseState

if TYPE_CHECKING:
    from voiceproxy import Binary, TranslatorSession
    from voiceproxy_openai.dialogue import Dialogue
    from voiceproxy_openai.function_calls import FunctionCalls
    from voiceproxy_openai.playback import Playback


MAX_WITHOUT_ID = 8
"""Texts remembered of items that had no id."""

_RUNNING = ResponseState.RUNNING
"""Finding an enumeration's member is a call of its own."""


def item_text(item: Event) -> str:
    """The words of an item or a content part list: ``text``, else ``transcript``, line by line.

    Servers spell the parts ``output_text``, ``text``, ``output_audio`` and ``audio``, and some
    send the content as a plain string (OUT-7).
    """
    content = item.get("content")
    if isinstance(content, str):
        return content
    parts = objects_at(item, "content")
    words = [text_at(part, "text") or text_at(part, "transcript") for part in parts]
    return "\n".join(word for word in words if word)


def _too_early() -> AudioOutput:
    raise MalformedEvent("there is audio before the session is configured")


class Output:
    """Turns the output events of responses into what the client gets."""

    __slots__ = (
        "_calls",
        "_dialogue",
        "_now",
        "_playback",
        "_responses",
        "_said_items",
        "_said_without_id",
        "_send",
        "new_audio",
    )

    def __init__(
        self,
        session: TranslatorSession,
        dialogue: Dialogue,
        responses: Responses,
        calls: FunctionCalls,
        playback: Playback,
    ) -> None:
        self._send = session.to_client
        self._now = session.now
        self._dialogue = dialogue
        self._responses = responses
        self._calls = calls
        self._playback = playback
        self._said_items = Recent()
        self._said_without_id: list[str] = []
        self.new_audio: Callable[[], AudioOutput] = _too_early
        """Makes the converter of one response; set once the Settings are known."""

    # Audio.

    def audio_delta(self, event: Event) -> None:
        """``response.output_audio.delta``: the agent's voice, about ten of these a second."""
        audio = decode_delta(event.get("delta"))
        response = self._responses.of(event) if audio else None
        if response is None or response.state is not _RUNNING:
            return  # stragglers of a response the user spoke over
        if response.audio is None:
            self._note_token(response)
            response.audio = self.new_audio()
        self._play(response, response.audio.feed(audio))
        item_id, index = text_at(event, "item_id"), integer_at(event, "content_index")
        self._playback.sent(item_id, index, len(audio), response.latest)

    def _play(self, response: Response, frames: Iterable[Binary]) -> None:
        for frame in frames:
            if not response.speaking:
                self._responses.start_speaking(response)
            self._send(frame)

    def audio_done(self, event: Event) -> None:
        """``response.output_audio.done``: the end of one item's audio, not of the response."""
        self._play_rest(self._responses.find(event))

    def _play_rest(self, response: Response | None) -> None:
        """What the converter holds back."""
        if response is not None and response.audio is not None:
            frames = response.audio.flush()
            if response.state is ResponseState.RUNNING:
                self._play(response, frames)

    # Text.

    def text_delta(self, event: Event) -> None:
        """``response.output_text.delta``: the agent's answer begins."""
        response = self._collect(event, "delta")
        if response is not None and response.state is ResponseState.RUNNING:
            self._responses.start_speaking(response)

    def transcript_delta(self, event: Event) -> None:
        """``response.output_audio_transcript.delta``; the audio follows it."""
        self._collect(event, "delta")

    def _collect(self, event: Event, key: str) -> Response | None:
        words = text_at(event, key)
        response = self._responses.of(event) if words else None
        if response is None:
            return None
        self._note_token(response)
        parts = response.items.setdefault(text_at(event, "item_id"), {})
        parts.setdefault(integer_at(event, "content_index"), []).append(words)
        return response

    def text_done(self, event: Event) -> None:
        """``response.output_text.done``: ends a response that was never announced."""
        response = self._part_done(event, "text")
        if response is not None and not response.created:
            self._responses.end_early(response)

    def transcript_done(self, event: Event) -> None:
        """``response.output_audio_transcript.done``: the words of one audio part."""
        self._part_done(event, "transcript")

    def _part_done(self, event: Event, key: str) -> Response | None:
        words = text_at(event, key)
        response = self._responses.of(event) if words else self._responses.find(event)
        if response is None:
            return None
        item_id = text_at(event, "item_id")
        parts = response.items.setdefault(item_id, {})
        if words:
            self._note_token(response)
            parts[integer_at(event, "content_index")] = [words]
        if not response.created:  # its whole item may never come
            self._say(response, item_id, _joined(parts))
        return response

    def _note_token(self, response: Response) -> None:
        if response.first_token is None:
            response.first_token = self._now()

    # Items.

    def item_added(self, event: Event) -> None:
        """``response.output_item.added``: which response an item belongs to."""
        response = self._responses.find(event)
        item = object_at(event, "item")
        if item.get("type") == "function_call":
            self._calls.learn(item)
        elif response is not None:
            response.items.setdefault(text_at(item, "id"), {})

    def item_done(self, event: Event) -> None:
        """``response.output_item.done``: whole, with what was said or is to be called."""
        item = object_at(event, "item")
        calls = item.get("type") == "function_call"
        response = self._responses.of(event, calls=calls) if item else None
        if response is not None:
            self._whole_item(response, item)

    def conversation_item(self, item: Event) -> None:
        """An item of the agent's in the conversation, once it has its words (OUT-6)."""
        if item.get("status") != "in_progress":
            item_id = text_at(item, "id")
            self._say(self._responses.owner_of(item_id), item_id, item_text(item))

    def _whole_item(self, response: Response, item: Event) -> None:
        if item.get("type") == "function_call":
            self._calls.item_done(response, item)
        elif item.get("role", "assistant") == "assistant":
            self._say(response, text_at(item, "id"), item_text(item))

    def complete(self, response: Response, given: Event, *, cancelled: bool) -> None:
        """``response.done``: say and ask what only it, or only deltas, told of."""
        self._play_rest(response)  # some servers tell of no item's end
        for item in objects_at(given, "output"):
            if not (cancelled and item.get("type") == "function_call"):
                self._whole_item(response, item)
        for item_id, parts in response.items.items():
            self._say(response, item_id, _joined(parts))

    def abandon(self, response: Response) -> None:
        """No ``response.done`` is awaited any more: as after a barge-in, without what follows."""
        self.complete(response, {}, cancelled=True)
        for item_id in response.items:
            if item_id:
                self._said_items.add(item_id)

    def _say(self, response: Response | None, item_id: str, text: str) -> None:
        """ConversationText, exactly once per item, however many events tell of it."""
        if not text.strip() or self._is_known(response, item_id, text.strip()):
            return
        if response is None:
            self._dialogue.reply(text)
            return
        if response.state is ResponseState.INTERRUPTED and not response.speaking:
            return  # nobody has heard a word of it
        self._responses.start_speaking(response)
        response.said.add(text.strip())
        self._dialogue.reply(text, response.after)

    def _is_known(self, response: Response | None, item_id: str, text: str) -> bool:
        """Whether it was said. Remembers it when not.

        Without an id the text itself tells: in the same response it is said once, and an item
        that comes later with the words of one that had no id is that one (DEF-11).
        """
        if not item_id:
            if response is not None and text in response.said:
                return True
            self._said_without_id = [*self._said_without_id[1 - MAX_WITHOUT_ID :], text]
            return False
        if item_id in self._said_items:
            return True
        self._said_items.add(item_id)
        if text in self._said_without_id:
            self._said_without_id.remove(text)
            return True
        return False


def _joined(parts: dict[int, list[str]]) -> str:
    return "\n".join("".join(parts[index]) for index in sorted(parts))
