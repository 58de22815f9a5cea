"""What is shown of a message to those who ask for content."""

import json

import pytest

from voiceproxy_logging.content import LONGEST, MASK, content_of


def test_a_message_is_shown_as_it_is():
    message = {"type": "ConversationText", "role": "user", "content": "Grüße, 你好"}
    assert json.loads(content_of(dict(message))) == message


@pytest.mark.parametrize(
    "key",
    ["credentials", "headers", "authorization", "Authorisation", "api_key", "apiKey", "X-Api-Key",
     "key", "access_token", "client_secret", "password"],
)  # fmt: skip
@pytest.mark.parametrize("value", ["s3cret", {"a": "s3cret"}, ["s3cret"]])
def test_credentials_are_masked_wherever_they_are(key, value):
    shown = content_of({"agent": {"think": [{"endpoint": {key: value, "method": "POST"}}]}})
    assert "s3cret" not in shown
    assert MASK in shown
    assert "POST" in shown


def test_numbers_and_names_that_only_sound_like_credentials_are_shown():
    message = {"ttt_token_latency": 0.5, "maxOutputTokens": 7, "token": None, "keyterms": ["a"]}
    assert json.loads(content_of(dict(message))) == message


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pass@host/path?key=1#part", "https://host/path"),
        ("wss://host:1/x", "wss://host:1/x"),
        ("https://host/a@b", "https://host/a@b"),
        (7, 7),
        (["https://host?x"], ["https://host?x"]),
    ],
)
def test_a_url_is_shown_without_its_user_and_query(url, shown):
    assert json.loads(content_of({"url": url})) == {"url": shown}


def test_a_long_message_is_cut():
    shown = content_of({"prompt": "x" * 5000})
    assert len(shown) == LONGEST + 3
    assert shown.endswith("x...")


def test_a_message_nested_too_deeply_for_the_encoder_is_not_shown():
    deep: dict[str, object] = {}
    inner = deep
    for _ in range(1000):
        inner["a"] = inner = {}
    assert content_of(deep) == "(nested too deeply to be shown)"
