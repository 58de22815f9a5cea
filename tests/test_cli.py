import textwrap
from pathlib import Path
from textwrap import dedent

import pytest
from distributions import BACKEND, OBSERVER, install
from proxy_process import run, serving

import voiceproxy

SETTINGS = """
    from dataclasses import dataclass

    from marshmallow import fields, validate

    from voiceproxy import SettingsSchema


    @dataclass
    class ChattySettings:
        model: str
        api_key: str
        loud: bool
        word: list
        url: str


    class ChattySettingsSchema(SettingsSchema):
        '''How it chats.'''

        section = "chatty"
        makes = ChattySettings
        model = fields.String(
            load_default="m-1",
            validate=validate.OneOf(["m-1", "m-2"]),
            metadata={"help": "The model, 100% plain."},
        )
        api_key = fields.String(
            load_default="", metadata={"secret": True, "variables": ["CHATTY_KEY"]}
        )
        loud = fields.Boolean(load_default=False)
        word = fields.List(fields.String(), load_default=list)
        url = fields.Url(
            schemes={"ws"},
            require_tld=False,
            load_default="ws://chatty",
            metadata={"upstream_url": True},
        )


    voiceproxy_settings = ChattySettingsSchema
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """Where a backend, a plugin with settings and broken plugins are installed."""
    directory = tmp_path_factory.mktemp("site")
    install(
        directory,
        "voiceproxy-for-tests",
        entry_points={"silent": "test_silent", "chatty": "test_chatty", "broken": "test_broken"},
        modules={
            "test_silent": BACKEND,
            "test_chatty": dedent(OBSERVER) + dedent(SETTINGS),
            "test_broken": "raise RuntimeError('no\\nway')",
            "test_misspelt": OBSERVER.replace("_connect", "_conect"),
        },
    )
    return directory


def refusal(directory, *arguments, **variables):
    """The lines of a refusal: status 2, nothing on stdout, no traceback."""
    ended = run(directory, *arguments, **variables)
    assert (ended.returncode, ended.stdout) == (2, "")
    lines = ended.stderr.splitlines()
    prefix = "voiceproxy: error: "
    assert all(line.startswith(prefix) for line in lines), ended.stderr
    return [line.removeprefix(prefix) for line in lines]


def test_without_plugins_it_says_what_to_type(directory):
    (line,) = refusal(directory)
    assert "no backend" in line
    assert "python -m voiceproxy --plugin openai --plugin simulator" in line


def test_plugins_without_a_backend_among_them_are_not_enough(directory):
    (line,) = refusal(directory, "--plugin", "chatty")
    assert "python -m voiceproxy --plugin openai --plugin simulator" in line


def test_an_unknown_plugin_is_refused_naming_the_installed_ones(directory):
    (line,) = refusal(directory, "--plugin", "chaty")
    assert line.startswith("plugin 'chaty': is not installed (did you mean 'chatty'?)")
    assert "silent" in line


@pytest.mark.parametrize("arguments", [["--plugin", "broken"], ["--help", "--plugin=broken"]])
def test_a_plugin_that_cannot_be_imported_is_refused_with_the_cause(directory, arguments):
    assert refusal(directory, *arguments) == [
        (
            "plugin 'broken' (from voiceproxy-for-tests 1.0): "
            "importing 'test_broken' failed: RuntimeError: no way"
        )
    ]


def test_the_traceback_of_a_failing_import_is_shown_on_request(directory):
    ended = run(directory, "--plugin", "broken", "--log-level", "debug")
    assert ended.returncode == 2
    assert "Traceback" in ended.stderr
    assert "test_broken.py" in ended.stderr


def test_a_misspelt_hook_is_refused(directory):
    assert refusal(directory, "--plugin", "test_misspelt") == [
        (
            "plugin 'test_misspelt': there is no hook voiceproxy_conect; "
            "did you mean voiceproxy_connect?"
        )
    ]


def test_all_problems_with_the_settings_are_reported_at_once(directory):
    lines = refusal(
        directory,
        *("--plugin", "silent", "--plugin", "chatty", "--port", "x", "--chatty-model", "m-3"),
        VOICEPROXY_DIALECT="both",
        VOICEPROXY_CHATTY_MODL="m-1",
    )
    assert lines == [
        "VOICEPROXY_CHATTY_MODL: unknown variable; did you mean VOICEPROXY_CHATTY_MODEL?",
        "VOICEPROXY_PORT (--port): Not a valid integer. (given by flag --port)",
        (
            "VOICEPROXY_DIALECT (--dialect): Must be one of: component, agent. "
            "(given by environment VOICEPROXY_DIALECT)"
        ),
        (
            "VOICEPROXY_CHATTY_MODEL (--chatty-model): Must be one of: m-1, m-2. "
            "(given by flag --chatty-model)"
        ),
    ]


def test_a_named_env_file_that_is_missing_is_refused(directory):
    (line,) = refusal(directory, "--env-file", "none.env")
    assert line.startswith("VOICEPROXY_ENV_FILE (--env-file): cannot read none.env")


def test_a_key_typed_as_a_flag_is_refused_without_being_repeated(directory):
    lines = refusal(directory, "--plugin", "chatty", "--chatty-api-key", "hush", "--x=hush")
    assert lines == [
        (
            "--chatty-api-key: a secret has no flag (others could read it); "
            "set VOICEPROXY_CHATTY_API_KEY or CHATTY_KEY"
        ),
        "unknown flag --x; see --help",
    ]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--plug", "silent"], "unknown flag --plug; did you mean --plugin?"),
        (["--prot", "1"], "unknown flag --prot; did you mean --port?"),
        (["--openai-model", "x"], "unknown flag --openai-model; see --help"),
        (["silent"], "there is an argument that belongs to no flag; see --help"),
        (["--port"], "argument --port: expected one argument"),
        (["--plugin"], "argument --plugin: expected one argument"),
        (["plugins", "--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)
def test_a_wrong_command_line_is_refused(directory, arguments, line):
    assert refusal(directory, *arguments) == [line]


def test_the_version_is_printed_even_when_a_plugin_is_broken(directory):
    ended = run(directory, "--plugin", "broken", "--version")
    assert (ended.returncode, ended.stdout) == (0, f"voiceproxy {voiceproxy.__version__}\n")


def test_help_groups_the_flags_by_plugin(directory):
    ended = run(directory, "--plugin", "chatty", "--help")
    assert ended.returncode == 0
    server, chatty = ended.stdout.split("plugin chatty:")
    assert "--allow-origin ORIGIN" in server
    assert "--upstream-url URL" in server
    assert "[8080]" in server
    assert "How it chats." in chatty
    assert "--chatty-model {m-1,m-2}" in chatty
    assert "The model, 100% plain. [m-1]" in chatty
    assert "--chatty-loud, --no-chatty-loud" in chatty
    assert "api-key" not in ended.stdout


def shown(directory, *arguments, **variables):
    """What --show-settings prints: name -> (value, source)."""
    ended = run(directory, *arguments, "--show-settings", **variables)
    assert ended.returncode == 0, ended.stderr
    rows = [[cell for cell in line.split("  ") if cell] for line in ended.stdout.splitlines()]
    return {row[0]: (row[1].strip(), row[2].strip()) for row in rows}


def test_settings_are_shown_with_their_source_and_secrets_masked(directory):
    (directory / ".env").write_text("LOG_LEVEL=error\nPORT=1\n")
    try:
        settings = shown(
            directory,
            *("serve", "--plugin", "chatty", "--chatty-loud", "--upstream-url", "ws://here"),
            *("--chatty-word", "a,b", "--chatty-word", "c", "--allow-host", "a.example"),
            CHATTY_KEY="hush",
            PORT="2",
        )
    finally:
        (directory / ".env").unlink()
    assert settings["chatty.loud"] == ("True", "flag --chatty-loud")
    assert settings["chatty.url"] == ("ws://here", "flag --upstream-url")
    assert settings["chatty.word"] == ("a,b, c", "flag --chatty-word")
    assert settings["chatty.api_key"] == ("********", "environment CHATTY_KEY")
    assert settings["chatty.model"] == ("m-1", "default")
    assert settings["allow_host"] == ("a.example", "flag --allow-host")
    assert settings["log_level"] == ("error", ".env")
    assert settings["port"] == ("2", "environment PORT")
    assert settings["dialect"] == ("(empty)", "default")


def test_a_boolean_has_a_flag_for_no(directory):
    settings = shown(
        directory, "--plugin=chatty", "--no-chatty-loud", VOICEPROXY_CHATTY_LOUD="true"
    )
    assert settings["chatty.loud"] == ("False", "flag --no-chatty-loud")


def test_the_variable_and_the_env_file_name_plugins_and_a_flag_takes_one_out(directory):
    (directory / ".env").write_text("VOICEPROXY_PLUGINS=chatty, silent\n")
    try:
        assert "chatty.model" in shown(directory)
        assert "chatty.model" in shown(directory, VOICEPROXY_PLUGINS=" ")
        assert "chatty.model" not in shown(directory, VOICEPROXY_PLUGINS="silent")
        assert "chatty.model" not in shown(directory, "--plugin", "no:chatty")
        assert "chatty.model" not in shown(directory, "--env-file", "")
    finally:
        (directory / ".env").unlink()


@pytest.mark.parametrize("level", ["debug", "Warn", "nonsense"])
def test_the_log_level_counts_while_plugins_load(directory, level):
    ended = run(directory, "--plugin=silent", "--plugin=silent", "--show-settings", LOG_LEVEL=level)
    assert ("named more than once" in ended.stderr) == (level == "debug")
    assert ended.returncode == (2 if level == "nonsense" else 0)


def test_the_installed_plugins_are_listed_without_importing_them(directory):
    ended = run(directory, "plugins")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "broken  test_broken  voiceproxy-for-tests 1.0\n" in ended.stdout
    assert "chatty  test_chatty  voiceproxy-for-tests 1.0\n" in ended.stdout


def test_the_verbose_list_shows_hooks_settings_and_what_cannot_be_loaded(directory):
    ended = run(directory, "plugins", "-v")
    assert ended.returncode == 1
    _, broken = ended.stdout.split("broken  test_broken  voiceproxy-for-tests 1.0\n")
    assert broken.startswith("  cannot be loaded: plugin 'broken' (from voiceproxy-for-tests 1.0)")
    _, chatty = ended.stdout.split("chatty  test_chatty  voiceproxy-for-tests 1.0\n")
    assert chatty.startswith("  hooks: voiceproxy_connect\n")
    assert "  --chatty-model  VOICEPROXY_CHATTY_MODEL  The model, 100% plain.\n" in chatty
    assert "  VOICEPROXY_CHATTY_API_KEY  CHATTY_KEY" in chatty


def test_talk_has_its_own_command_line(directory):
    ended = run(directory, "talk", "--help")
    assert ended.returncode == 0
    assert "--url" in ended.stdout


def test_the_order_of_the_plugins_in_force_is_printed_at_start(directory: Path):
    with serving(
        directory, "--plugin", "chatty", "--log-level", "error", VOICEPROXY_PLUGINS="silent"
    ) as process:
        assert process.url
        assert process.errors_until("plugins:") == ["plugins: silent, chatty"]


def test_the_order_printed_is_the_one_of_the_hooks_and_not_of_the_command_line(directory: Path):
    for name, mark in (("guard", "tryfirst"), ("watcher", "trylast")):
        marked = textwrap.dedent(OBSERVER).replace("@hookimpl", f"@hookimpl({mark}=True)")
        (directory / f"{name}.py").write_text(marked)
    names = [word for name in ("watcher", "silent", "guard") for word in ("--plugin", name)]
    with serving(directory, *names) as process:
        assert process.errors_until("plugins:") == [
            "plugins: guard (first), silent, watcher (last)"
        ]


def test_a_backend_without_a_key_names_the_variable_and_the_way_without_one(directory):
    (line,) = refusal(directory, "--plugin", "openai")
    assert "OPENAI_API_KEY" in line
    assert "--plugin simulator" in line
