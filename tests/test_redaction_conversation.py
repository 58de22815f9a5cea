"""What begins in one message and is completed by another."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from redaction_observer import Redacted, conversation_text, spelt, transcript

from voiceproxy import Text
from voiceproxy_redaction.conversation import MAX_WORD, Conversation, Voice
from voiceproxy_redaction.finder import Finder
from voiceproxy_redaction.marks import Marks
from voiceproxy_redaction.messages import MAX_READINGS
from voiceproxy_redaction.reading import Reading
from voiceproxy_redaction.spans import Span

USER = Voice("user", "ConversationText")
CONTEXT = Voice("user", "context")


def hear_all(redacted: Redacted, *contents: str, role: str = "user") -> list[str]:
    return [redacted.hear(conversation_text(content, role))["content"] for content in contents]


@pytest.mark.parametrize(
    ("contents", "seen"),
    [
        (("my card is 4111 1111", "1111 1111"), ["my card is 4111 1111", "[card]"]),
        (("4111 1111.", "1111 1111, thanks"), ["4111 1111.", "[card], thanks"]),
        (("4111 1111?", "1111 1111"), ["4111 1111?", "[card]"]),
        (("4111-1111-", "1111-1111"), ["4111-1111-", "[card]"]),
        (("4111", "1111", "1111", "1111"), ["4111", "1111", "1111", "[card]"]),
        (("is it 206?", "Then 555 0131"), ["is it 206?", "Then 555 0131"]),
        (("is it 206?", "555 0131"), ["is it 206?", "[phone]"]),
        (("bob@", "example.com it is"), ["bob@", "[email] it is"]),
        (("bob", "@example.com"), ["bob", "[email]"]),
        (("bob@exam", "ple", ".com"), ["bob@exam", "ple", "[email]"]),
        (("DE 89 3704 0044", "0532 0130 00"), ["DE 89 3704 0044", "[iban]"]),
        (("it is DE", "89 3704 0044 0532 0130 00"), ["it is DE", "[iban]"]),
        (("D", "E89 3704 0044 0532 0130 00"), ["D", "[iban]"]),
        (("192.0.", "2.1"), ["192.0.", "[ip]"]),
        (("123-45-", "6789"), ["123-45-", "[ssn]"]),
        (("", "4111 1111", "", "1111 1111"), ["", "4111 1111", "", "[card]"]),
        (("4111 1111 um", "1111 1111"), ["4111 1111 um", "1111 1111"]),
    ],
)
def test_what_completes_a_match_is_masked(contents: tuple[str, ...], seen: list[str]):
    assert hear_all(Redacted(), *contents) == seen


def test_the_parts_of_different_roles_do_not_make_a_match():
    redacted = Redacted()
    assert hear_all(redacted, "4111 1111") == ["4111 1111"]
    assert hear_all(redacted, "1111 1111", role="assistant") == ["1111 1111"]
    assert hear_all(redacted, "1111 1111") == ["[card]"]


def test_the_parts_of_different_sessions_do_not_make_a_match():
    hear_all(Redacted(), "4111 1111")
    assert hear_all(Redacted(), "1111 1111") == ["1111 1111"]


def test_words_that_are_repeated_in_history_are_not_taken_for_further_digits():
    redacted = Redacted()
    for words, seen in (("4111 1111", "4111 1111"), ("1111 1111", "[card]")):
        assert redacted.hear(conversation_text(words))["content"] == seen
        history = {"type": "History", "role": "user", "content": words}
        assert redacted.hear(history)["content"] == seen


def test_digits_that_were_spoken_are_completed_by_digits_that_are_typed():
    redacted = Redacted()
    hear_all(redacted, "4111 1111")
    assert redacted.say({"type": "InjectUserMessage", "content": "1111 1111"}) == {
        "type": "InjectUserMessage",
        "content": "[card]",
    }


def test_digits_of_the_history_a_client_hands_over_are_completed_by_spoken_ones():
    redacted = Redacted()
    past = [
        {"role": "user", "content": "4111 1111"},
        {"role": "user", "content": "1111"},
        {"type": "History", "role": "assistant", "content": "Go on, 206-555-0131."},
    ]
    seen = redacted.say({"type": "Settings", "agent": {"context": {"messages": past}}})
    contents = [one["content"] for one in seen["agent"]["context"]["messages"]]
    assert contents == ["4111 1111", "1111", "Go on, [phone]."]
    assert hear_all(redacted, "1111") == ["[card]"]


def test_digits_of_the_history_are_completed_by_later_ones_of_the_same_history():
    redacted = Redacted()
    contents = ("4111 1111", "1111 1111", "4111 1111")
    past = [{"role": "user", "content": content} for content in contents]
    seen = redacted.say({"type": "Settings", "agent": {"context": {"messages": past}}})
    contents = [one["content"] for one in seen["agent"]["context"]["messages"]]
    assert contents == ["4111 1111", "[card]", "4111 1111"]


@pytest.mark.parametrize("spoken_first", [True, False])
def test_what_is_spoken_and_what_is_typed_complete_each_other_before_either_is_told_again(
    spoken_first: bool,
):
    redacted = Redacted()
    typed = {"type": "InjectUserMessage", "content": "1111 1111"}
    if spoken_first:
        redacted.hear(transcript("4111 1111", final=True))
        assert redacted.say(typed)["content"] == "[card]"
    else:
        redacted.say({**typed, "content": "4111 1111"})
        assert redacted.hear(transcript("1111 1111", final=True))["transcript"] == "[card]"


def test_two_readings_of_the_same_words_are_no_longer_number():
    redacted = Redacted()
    message = transcript("4111 1111", final=True)
    assert redacted.hear(message) == message


def test_a_completing_match_is_hashed_as_a_whole():
    options = {"observers": "hash", "hash_key": "0123456789abcdef"}
    together = hear_all(Redacted(**options), "4111 1111 1111 1111")
    assert hear_all(Redacted(**options), "4111 1111", "1111 1111")[1:] == together


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        ("", ""),
        ("Hello", "…"),
        ("Hello ", "Hello "),
        ("my number was 206", "my number was …"),
        ("my number was 206 555 ", "my number was …"),
        ("my number was 206-555-0131 ", "my number was …"),  # it could be longer
        ("it is bob@example", "it is …"),
        ("it is bob@example.com and", "it is [email] …"),
        ("GB82 WEST 12", "…"),
        ("GB82 WEST 12 is", "GB82 WEST 12 …"),
        ("the key sk-EXAMPLE0123456789example now ", "the key [key] now "),
        ("since 2019 we ", "since 2019 we "),
    ],
)
def test_an_interim_transcript_hides_what_could_still_become_a_match(said: str, seen: str):
    message = Redacted().hear(transcript(said, final=False))
    assert message["transcript"] == seen
    assert message["alternatives"][0]["transcript"] == seen


def test_an_interim_transcript_hides_what_could_complete_an_earlier_message():
    redacted = Redacted()
    assert redacted.hear(transcript("4111 1111", final=True))["transcript"] == "4111 1111"
    assert redacted.hear(transcript("1111 ", final=False))["transcript"] == "…"
    assert redacted.hear(transcript("1111 1111", final=False))["transcript"] == "…"
    assert redacted.hear(transcript("1111 1111", final=True))["transcript"] == "[card]"


def test_an_interim_transcript_hides_letters_that_only_an_earlier_message_explains():
    redacted = Redacted()
    redacted.hear(transcript("FR14 2004 1010 05", final=True))
    assert redacted.hear(transcript("05 0001 3M ", final=False))["transcript"] == "…"
    assert Redacted().hear(transcript("05 0001 3M ", final=False))["transcript"] == "05 0001 3M "


def test_interim_transcripts_are_not_part_of_what_was_said():
    redacted = Redacted()
    redacted.hear(transcript("4111 1111", final=False))
    assert redacted.hear(transcript("1111 1111", final=True))["transcript"] == "1111 1111"


@pytest.mark.parametrize("field", ["word", "punctuated_word"])
def test_the_words_of_a_transcript_lose_what_its_text_loses(field: str):
    words = spelt("card", "4111", "1111", "1111", "1111,", "thanks", field=field)
    message = Redacted().hear(
        transcript("card 4111 1111 1111 1111, thanks", final=True, words=words)
    )
    [reading] = message["alternatives"]
    assert reading["transcript"] == "card [card], thanks"
    seen = [word[field] for word in reading["words"]]
    assert seen == ["card", *["[card]"] * 4, "thanks"]
    assert [word["start"] for word in reading["words"]] == list(range(6))


def test_a_word_that_is_spelt_twice_loses_both_spellings():
    words = [{"word": "bobexamplecom", "punctuated_word": "bob@example.com."}, {"word": "yes"}]
    message = Redacted().hear(transcript("bob@example.com. yes", final=True, words=words))
    assert message["alternatives"][0]["words"] == [
        {"word": "[email]", "punctuated_word": "[email]"},
        {"word": "yes"},
    ]


def test_words_that_are_spelt_otherwise_are_matched_by_their_number():
    words = spelt("at", "bob-at-example", "thanks")
    message = Redacted().hear(transcript("at bob@example.com thanks", final=True, words=words))
    seen = [word["word"] for word in message["alternatives"][0]["words"]]
    assert seen == ["at", "[email]", "thanks"]


def test_words_that_cannot_be_matched_all_go():
    words = spelt("four", "one", "one", "one")
    message = Redacted().hear(transcript("4111111111111111", final=True, words=words))
    seen = [word["word"] for word in message["alternatives"][0]["words"]]
    assert seen == ["[redacted]"] * 4


@pytest.mark.parametrize("text", [None, "", [*"41"]])
def test_words_without_a_transcript_are_read_for_themselves(text: Any):
    redacted = Redacted()
    for words, seen in (("4111 1111", "4111 1111"), ("1111 1111", "[card] [card]")):
        reading = {"transcript": text, "words": spelt(*words.split())}
        message = {**transcript("", final=True), "transcript": text, "alternatives": [reading]}
        heard = redacted.hear({**message, "words": spelt(*words.split())})
        for where in (heard, heard["alternatives"][0]):
            assert " ".join(word["word"] for word in where["words"]) == seen
            assert where["transcript"] == text


def test_words_of_an_interim_result_without_a_transcript_are_hidden_while_they_are_open():
    message = transcript("", final=False, words=spelt("call", "206", "555"))
    [reading] = Redacted().hear(message)["alternatives"]
    assert [word["word"] for word in reading["words"]] == ["call", "…", "…"]


def test_words_that_are_no_objects_go_all_the_same():
    strange = transcript("4111111111111111", final=True, words=["four", 1, None, {"word": 2}])
    [reading] = Redacted().hear(strange)["alternatives"]
    assert reading["words"] == [*["[redacted]"] * 3, {"word": "[redacted]"}]


def test_dropped_words_leave_the_list():
    words = spelt("card", "4111", "1111", "1111", "1111")
    text = "card 4111 1111 1111 1111"
    message = Redacted(observers="drop").hear(transcript(text, final=True, words=words))
    assert message["alternatives"][0] == {
        "transcript": "card ",
        "confidence": 1,
        "words": spelt("card"),
    }
    strange = transcript("4111111111111111", final=True, words=["four", 1, None, {"word": 2}])
    message = Redacted(observers="drop").hear(strange)
    assert message["alternatives"][0]["words"] == []


def test_the_last_words_of_an_interim_transcript_are_hidden_in_its_words_too():
    words = spelt("call", "206", "555")
    message = Redacted().hear(transcript("call 206 555", final=False, words=words))
    seen = [word["word"] for word in message["alternatives"][0]["words"]]
    assert seen == ["call", "…", "…"]


class Counting(Finder):
    """Counts the characters it is given."""

    read = 0

    def find(self, text: str) -> list[Span]:
        self.read += len(text)
        return super().find(text)


def test_a_long_word_behind_an_unfinished_one_is_read_once():
    finder = Counting()
    conversation = Conversation(finder)
    conversation.remember(USER, "(1" * 500)
    conversation.find(USER, "(1" * 100_000)
    assert finder.read < 1.25 * 200_000


def test_a_long_history_is_read_twice_whatever_was_said_before():
    finder = Counting()
    conversation = Conversation(finder)
    conversation.remember(CONTEXT, "(1" * 500)
    past = [{"role": "user", "content": "(1"}] * 4000
    message = Text.of({"type": "Settings", "agent": {"context": {"messages": past}}})
    finder.read = 0
    Reading(message, conversation, 10**6).redacted(Marks("mask"), for_wire=False)
    assert finder.read < 3 * 2 * 4000 + 1024 * 3


def test_a_history_goes_on_with_what_was_said_before():
    conversation = Conversation(Finder())
    conversation.remember(CONTEXT, "4111 11")
    spans = conversation.across(CONTEXT, ["11.", "...", "1111 1111, ok"])
    assert [[span[:3] for span in one] for one in spans] == [[(0, 2, "card")], [], [(0, 9, "card")]]


def test_no_more_readings_are_told_than_can_be_read_in_time():
    message = transcript("hi", final=True)
    message["alternatives"] *= 500
    seen = Redacted().say(message)
    assert seen["alternatives"] == message["alternatives"][:MAX_READINGS]


def test_of_a_key_without_end_nothing_is_shown():
    conversation = Conversation(Finder())
    conversation.remember(USER, "sk-0")
    text = "a" * (MAX_WORD + 10) + " and so on"
    assert conversation.find(USER, text[:-10]).spans[0].end == MAX_WORD + 10
    assert conversation.find(USER, text).spans[0].end == len(text)
    assert conversation.find(USER, text[10:]).spans[0].end == len(text) - 10
    assert conversation.find(USER, text[11:]).spans[0].end == MAX_WORD - 1


MATCHES = (
    *("4111 1111 1111 1111", "378282246310005", "206-555-0131", "+44 20 7946 0123"),
    *("DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432", "123-45-6789", "192.0.2.1"),
    *("2001:db8::8a2e:370:7334", "bob@example.com", "sk-EXAMPLE0123456789example"),
)


@given(
    st.sampled_from(MATCHES),
    st.lists(st.integers(0, 40), min_size=1, max_size=4),
    st.sampled_from(["", "it is ", "Sure. ", "bob, "]),
    st.sampled_from(["", " thanks", ". Yes", ", or 7"]),
)
@settings(deadline=None, max_examples=200)
def test_wherever_a_match_is_cut_its_last_part_is_found(
    match: str, cuts: list[int], before: str, after: str
):
    conversation = Conversation(Finder())
    assume(any(0 < cut < len(match) for cut in cuts))
    places = [0, *sorted({cut for cut in cuts if 0 < cut < len(match)}), len(match)]
    parts = [match[start:end] for start, end in pairwise(places)]
    conversation.remember(USER, before + parts[0])
    for part in parts[1:-1]:
        conversation.remember(USER, part)
    last = parts[-1]
    found = conversation.find(USER, last + after)
    covered = {place for span in found.spans for place in range(span.start, span.end)}
    assert {place for place, mark in enumerate(last) if not mark.isspace()} <= covered
