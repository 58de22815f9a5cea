import os

import pytest

from voiceproxy.errors import SettingsError
from voiceproxy.host_settings import HostSettings, configure, read_env_file

MIB = 1024 * 1024


def settings(**overrides):
    return configure([], environ={}, dotenv={}, overrides=overrides)[HostSettings]


def test_the_defaults_are_safe_and_documented_here():
    assert settings() == HostSettings(
        host="127.0.0.1",
        port=8080,
        tls_cert="",
        tls_key="",
        tls_self_signed=False,
        allow_origin=[],
        allow_host=[],
        max_sessions=1000,
        workers=1,
        log_level="info",
        dialect=None,
        connect_timeout=10.0,
        hook_timeout=10.0,
        block_warning=1.0,
        settings_timeout=15.0,
        close_timeout=5.0,
        drain_timeout=30.0,
        heartbeat=20.0,
        client_buffer=4 * MIB,
        upstream_buffer=4 * MIB,
        max_client_frame=16 * MIB,
        max_upstream_frame=64 * MIB,
        env_file=".env",
    )


@pytest.mark.parametrize(
    ("variable", "name", "text", "value"),
    [
        ("PORT", "port", "0", 0),
        ("VOICEPROXY_PORT", "port", "65535", 65535),
        ("LOG_LEVEL", "log_level", "DEBUG", "debug"),
        ("VOICEPROXY_LOG_LEVEL", "log_level", "Warn", "warning"),
        ("VOICEPROXY_DIALECT", "dialect", "agent", "agent"),
        ("VOICEPROXY_HEARTBEAT", "heartbeat", "0", 0.0),
        ("VOICEPROXY_CLIENT_BUFFER", "client_buffer", "1024", 1024),
        (
            "VOICEPROXY_ALLOW_ORIGIN",
            "allow_origin",
            "https://a.example,http://localhost:5173,*,null,app://voice",
            ["https://a.example", "http://localhost:5173", "*", "null", "app://voice"],
        ),
        ("VOICEPROXY_ALLOW_HOST", "allow_host", "a.example,[::1],*", ["a.example", "[::1]", "*"]),
    ],
)
def test_a_variable_sets_a_setting(variable, name, text, value):
    loaded = configure([], environ={variable: text}, dotenv={})[HostSettings]
    assert getattr(loaded, name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("host", ""),
        ("port", -1),
        ("port", 65536),
        ("port", "http"),
        ("log_level", "loud"),
        ("log_level", 3),
        ("dialect", "both"),
        ("max_sessions", 0),
        ("connect_timeout", 0),
        ("connect_timeout", "nan"),
        ("hook_timeout", -1),
        ("settings_timeout", 0),
        ("close_timeout", "inf"),
        ("heartbeat", -1),
        ("client_buffer", 0),
        ("upstream_buffer", "4 MiB"),
        ("max_client_frame", 0),
        ("max_upstream_frame", -5),
        ("allow_origin", ["example.com"]),
        ("allow_origin", ["https://example.com/"]),
        ("allow_origin", "https://example.com"),
        ("allow_host", ["https://example.com"]),
        ("allow_host", ["example.com:80"]),
    ],
)
def test_a_senseless_value_is_refused_by_name(name, value):
    with pytest.raises(SettingsError) as caught:
        settings(**{name: value})
    (problem,) = caught.value.problems
    flag = name.replace("_", "-")
    assert problem.startswith(f"VOICEPROXY_{name.upper()} (--{flag}): ")


def test_the_env_file_beside_the_process_is_read_beneath_the_environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text('PORT=1\nLOG_LEVEL="error"  # quiet\nexport X=${HOME}\n')
    configuration = configure([], environ={"PORT": "2"})
    assert configuration[HostSettings].port == 2
    assert configuration[HostSettings].log_level == "error"
    assert configuration.source("log_level") == ".env"
    assert "LOG_LEVEL" not in os.environ
    assert read_env_file({}, {})["X"] == "${HOME}"


@pytest.mark.parametrize("by", ["flags", "overrides", "environ"])
def test_another_env_file_may_be_named(tmp_path, monkeypatch, by):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("PORT=1")
    (tmp_path / "prod.env").write_text("PORT=3\nVOICEPROXY_ENV_FILE=.env")
    named = {"VOICEPROXY_ENV_FILE" if by == "environ" else "env_file": "prod.env"}
    configuration = configure([], **{"environ": {}, by: named})
    assert configuration[HostSettings].port == 3
    assert configuration[HostSettings].env_file == "prod.env"


def test_an_empty_name_reads_no_env_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("PORT=1")
    assert configure([], environ={}, flags={"env_file": ""})[HostSettings].port == 8080


def test_the_default_env_file_may_be_missing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read_env_file({}, {}) == {}
    (tmp_path / ".env").mkdir()  # some people keep a virtual environment there
    assert read_env_file({}, {}) == {}


@pytest.mark.parametrize(
    ("content", "cause"),
    [(None, "No such file or directory"), (b"PORT=\xff", "it is not UTF-8 text")],
)
def test_a_named_env_file_that_cannot_be_read_is_a_problem(tmp_path, content, cause):
    path = tmp_path / "named.env"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        configure([], environ={"VOICEPROXY_ENV_FILE": str(path)})
    assert caught.value.problems == (
        f"VOICEPROXY_ENV_FILE (--env-file): cannot read {path}: {cause}",
    )
