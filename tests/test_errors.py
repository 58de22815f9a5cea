"""Whose fault it is."""

import pytest

from voiceproxy import errors
from voiceproxy.errors import (
    ClientFault,
    PluginFault,
    PluginLoadError,
    Refuse,
    SessionError,
    SettingsError,
    UpstreamFault,
    UsageError,
    VoiceproxyError,
)


@pytest.mark.parametrize(
    ("error", "by"),
    [
        (SessionError("a", "b"), "proxy"),
        (ClientFault("a", "b"), "client"),
        (UpstreamFault("a", "b"), "upstream"),
        (PluginFault("redaction", "voiceproxy_connect"), "redaction"),
    ],
)
def test_an_error_that_ends_a_session_says_whose_fault_it_is(error: SessionError, by: str):
    assert error.by == by
    assert error.close_code == 1000


def test_an_error_that_a_reconnect_may_mend_brings_its_close_code():
    assert UpstreamFault("upstream_timeout", "No answer.", 1013).close_code == 1013


def test_a_plugins_fault_names_the_plugin_and_the_hook():
    fault = PluginFault("redaction", "voiceproxy_client_frame")
    assert fault.code == "plugin_failed"
    assert fault.description == "The plugin 'redaction' failed in voiceproxy_client_frame."
    assert fault.plugin == "redaction"


@pytest.mark.parametrize("status", [400, 401, 429, 503, 599])
def test_a_refusal_is_an_http_error(status: int):
    refusal = Refuse(status, "not now")
    assert (refusal.status, refusal.reason, refusal.by) == (status, "not now", "proxy")
    assert str(refusal) == f"{status} not now"


@pytest.mark.parametrize("status", [0, 200, 302, 399, 600])
def test_a_refusal_with_another_status_is_a_mistake(status: int):
    with pytest.raises(ValueError, match=f"from 400 to 599, not {status}"):
        Refuse(status, "why")


def test_every_bad_setting_has_its_line():
    error = SettingsError(["one", "two"])
    assert error.problems == ("one", "two")
    assert str(error) == "one\ntwo"


@pytest.mark.parametrize(
    ("distribution", "text"),
    [(None, "plugin 'x': broken"), ("acme 1.0", "plugin 'x' (from acme 1.0): broken")],
)
def test_a_plugin_that_cannot_be_loaded_is_named_with_its_origin(distribution, text):
    assert str(PluginLoadError("x", "broken", distribution)) == text


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes():
    classes = [VoiceproxyError, UsageError, SettingsError, PluginLoadError, Refuse, SessionError]
    classes += [ClientFault, UpstreamFault, PluginFault]
    drawn = [line for line in (errors.__doc__ or "").splitlines() if "Error" in line or "─" in line]
    depths = [(len(cls.__mro__), cls.__name__) for cls in classes]
    for line, (depth, name) in zip(drawn[: len(classes)], depths, strict=True):
        assert name in line
        assert (len(line) - len(line.lstrip(" │├└─"))) // 4 == depth - 4 + 1
