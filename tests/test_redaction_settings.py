"""What an operator may ask for, and what is refused with a reason."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from redaction_observer import Redacted, conversation_text

import voiceproxy
from voiceproxy import SettingsError, settings_of
from voiceproxy_redaction.patterns import MAX_LENGTH, Pattern
from voiceproxy_redaction.settings import RedactionSettings


def application(environ: dict[str, str] | None = None, **settings: object) -> Any:
    return voiceproxy.create_app(
        ["openai", "simulator", "redaction"],
        settings={f"redaction.{name}": value for name, value in settings.items()},
        environ=environ or {},
    )


def test_by_default_observers_get_marks_and_nobody_else_does():
    assert settings_of(application(), RedactionSettings) == RedactionSettings(
        kinds=["email", "ip", "key", "iban", "card", "ssn", "phone"], patterns=[]
    )


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"observers": "hide"}, "VOICEPROXY_REDACTION_OBSERVERS (--redaction-observers)"),
        ({"observers": "off"}, "observers, client and backend are all off"),
        ({"kinds": []}, "there is nothing to look for"),
        ({"kinds": ["name"]}, "VOICEPROXY_REDACTION_KINDS"),
        ({"client": "hash"}, "hash needs a key of 16 characters"),
        ({"client": "hash", "hash_key": "short"}, "VOICEPROXY_REDACTION_HASH_KEY"),
        ({"patterns": [r"\d{6}"]}, "Write NAME=PATTERN"),
        ({"patterns": [r"Staff=\d{6}"]}, "Write NAME=PATTERN"),
        ({"patterns": [r"card=\d{6}"]}, "card is a kind that is known already"),
        ({"patterns": [r"a=\d+"]}, "The pattern a cannot be used"),
        ({"max_message": 0}, "VOICEPROXY_REDACTION_MAX_MESSAGE"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_start(settings: dict[str, Any], problem: str):
    with pytest.raises(SettingsError) as error:
        application(**settings)
    assert problem in str(error.value)


def test_the_key_of_the_hashes_is_shown_nowhere():
    settings = settings_of(application(hash_key="0123456789abcdef"), RedactionSettings)
    assert "0123456789abcdef" not in repr(settings)


def test_patterns_come_from_the_environment_too():
    environ = {"VOICEPROXY_REDACTION_PATTERNS": r"staff=EMP-\d{4-6}, desk=D\d{2}"}
    settings = settings_of(application(environ), RedactionSettings)
    assert settings.patterns == [r"staff=EMP-\d{4-6}", r"desk=D\d{2}"]


def test_what_a_pattern_fits_is_named_by_it_also_in_interim_and_divided_text():
    redacted = Redacted(patterns=[r"staff=EMP[- ]?\d{6}"], kinds=[])

    def hear(content: str) -> str:
        return redacted.hear(conversation_text(content))["content"]

    assert hear("I am emp-123456, you are EMP 123457.") == "I am [staff], you are [staff]."
    assert hear("EMP-1234567 XEMP-123456") == "EMP-1234567 XEMP-123456"
    assert hear("emp") == "emp"
    assert hear("123456 is me") == "[staff] is me"
    assert hear("card 4111111111111111") == "card 4111111111111111"


@pytest.mark.parametrize(
    ("source", "text", "found"),
    [
        (r"EMP-\d{6}", "emp-000001", ["emp-000001"]),
        (r"EMP-\d{2,4}", "EMP-1 EMP-12 EMP-1234 EMP-12345", ["EMP-12", "EMP-1234"]),
        (r"#\d{2-4}!", "#12! #12345! x#1234!", ["#12!", "#1234!"]),
        (r"[A-F]{2}\.\d", "ab.1 AG.1 a.b.1", ["ab.1"]),
        (r"[^a]{2}-", "xy- ax-", ["xy-"]),
        (r"\w{3}\s\w", "abc d", ["abc d"]),
        (r"member id \d{1-2}", "Member ID 7", ["Member ID 7"]),
        (r"ж\d", "Ж1", ["Ж1"]),
    ],
)
def test_a_pattern_finds_whole_words_in_any_case(source: str, text: str, found: list[str]):
    assert [span.value for span in Pattern("x", source).find(text)] == found


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("", "nothing at all"),
        (r"\d?", "nothing at all"),
        (r"\d{0,3}", "nothing at all"),
        (r"\d+", "'+' cannot be read"),
        (r"\d*x", "'*x' cannot be read"),
        ("(a|b)", "cannot be read"),
        ("a.c", "'.c' cannot be read"),
        ("a|b", "'|b' cannot be read"),
        ("^a$", "cannot be read"),
        (r"\b", "cannot be read"),
        ("[z-a]", "bad character range"),
        ("[a--b]", "Possible set difference"),
        (r"\d{3,2}", "the wrong way round"),
        (rf"\d{{{MAX_LENGTH + 1}}}", "more than 100 characters"),
        (r"\d{2,3}\d", "where does one end and the other begin"),
        (r"a?-?a", "where does one end and the other begin"),
        (r"x?X", "where does one end and the other begin"),
    ],
)
def test_a_pattern_that_could_take_long_or_says_nothing_is_refused(source: str, problem: str):
    with pytest.raises(ValueError, match=re.escape(problem)):
        Pattern("x", source)


@pytest.mark.parametrize("end", range(1, 10))
def test_a_pattern_knows_where_a_part_of_it_begins(end: int):
    assert Pattern("x", r"EMP-\d{6}").open("I am " + "emp-123456"[:end]) == 5


@pytest.mark.parametrize("text", ["I am emp-x", "I am x", "I am xemp-", ""])
def test_a_pattern_knows_when_nothing_of_it_is_there(text: str):
    assert Pattern("x", r"EMP-\d{6}").open(text) == len(text)


def test_the_examples_of_the_docs_are_true():
    page = (Path(__file__).parents[1] / "docs" / "how-to" / "redaction.md").read_text()
    for mode in ("mask", "hash", "drop"):
        redacted = Redacted(observers=mode, hash_key="0123456789abcdef")
        seen = redacted.hear(conversation_text("call 206-555-0131 today"))["content"]
        assert f"| `{mode}` | `{seen}`" in page
    patterns = re.findall(r"--redaction-patterns '([^']+)'", page)
    assert settings_of(application(patterns=patterns), RedactionSettings).patterns == patterns
    assert len(patterns) == 2
