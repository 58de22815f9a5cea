"""Frames and close codes."""

import pytest

from voiceproxy import Binary, Close, Text
from voiceproxy.frames import as_frame


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (1000, 1000),
        (1001, 1001),
        (1003, 1003),
        (1004, 1011),
        (1005, 1000),
        (1006, 1011),
        (1007, 1007),
        (1014, 1014),
        (1015, 1011),
        (0, 1011),
        (999, 1011),
        (2999, 1011),
        (3000, 3000),
        (4999, 4999),
        (5000, 1011),
    ],
)
def test_a_close_code_is_made_legal(given: int, sent: int):
    assert Close(given, "why").legal() == Close(sent, "why")


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        ("x" * 123, "x" * 123),
        ("x" * 200, "x" * 123),
        ("é" * 62, "é" * 61),
        ("x" + "€" * 41, "x" + "€" * 40),
        ("😀" * 31, "😀" * 30),
        ("lone \ud800", "lone ?"),
    ],
)
def test_a_close_reason_is_cut_between_characters_to_what_a_control_frame_holds(reason, kept):
    assert Close(1000, reason).legal().reason == kept
    assert len(kept.encode()) <= 123


def test_text_is_compact_json_and_keeps_what_is_not_ascii():
    assert Text.of({"type": "A", "words": "né"}).data == '{"type":"A","words":"né"}'.encode()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'{"type":"Settings"}', "Settings"),
        (b'{"type":7}', ""),
        (b"{}", ""),
        (b"[1]", ""),
        (b'"type"', ""),
        (b"null", ""),
        (b"{", ""),
        (b"\xff", ""),
    ],
)
def test_the_type_of_a_text_frame_is_its_messages_or_nothing(data: bytes, kind: str):
    frame = Text(data)
    assert frame.type == kind
    assert frame.type == kind  # parsed once


@pytest.mark.parametrize(("message", "kind"), [({"type": "A"}, "A"), ({"type": 1}, ""), ({}, "")])
def test_an_encoded_message_knows_its_type(message: dict, kind: str):
    assert Text.of(message).type == kind


def test_each_parse_is_a_copy_of_its_own():
    frame = Text(b'{"a":[1]}')
    frame.message()["a"].append(2)
    assert frame.message() == {"a": [1]}


@pytest.mark.parametrize("data", [b"{", b"\xff{}", b'{"a":NaN}', b""])
def test_what_is_not_json_in_utf_8_is_a_value_error(data: bytes):
    with pytest.raises(ValueError):
        Text(data).message()


def test_a_copy_for_one_dialect_leaves_the_frame_alone():
    frame = Text.of({"type": "A"})
    copy = frame.for_dialect("agent")
    assert (copy.only, copy.type, copy) == ("agent", "A", frame)
    assert frame.only is None


def test_frames_are_equal_by_kind_and_content_and_cannot_be_keys():
    assert Text(b"a") == Text(b"a") != Text(b"b")
    assert Binary(b"a") == Binary(b"a") != Binary(b"b")
    assert Text(b"a") != Binary(b"a")
    assert Binary(b"a") != Text(b"a")
    for frame in (Text(b""), Binary(b"")):
        with pytest.raises(TypeError):
            hash(frame)


def test_frames_have_the_length_of_their_payload():
    assert (len(Text("é".encode())), len(Binary(b"abc"))) == (2, 3)


def test_a_frame_shows_its_type_and_size_and_never_its_content():
    assert repr(Text.of({"type": "A", "words": "secret"})) == "<Text A 29 bytes>"
    assert repr(Text(b"secret")) == "<Text without type 6 bytes>"
    assert repr(Binary(b"secret")) == "<Binary 6 bytes>"


def test_what_can_be_sent_is_a_frame_or_a_json_object():
    frame = Binary(b"a")
    assert as_frame(frame) is frame
    assert as_frame({"type": "A"}) == Text(b'{"type":"A"}')


@pytest.mark.parametrize(
    "nonsense", [b"bytes", "text", None, [1], {"a": object()}, Text("a str"), Binary("a str")]
)
def test_what_is_no_frame_is_refused_where_it_is_sent(nonsense: object):
    with pytest.raises(TypeError):
        as_frame(nonsense)
