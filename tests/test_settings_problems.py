from dataclasses import dataclass

import pytest
from marshmallow import fields

from voiceproxy.errors import SettingsError
from voiceproxy.settings import SettingsSchema, load


@dataclass
class Host:
    port: int
    log_level: str
    allow_origin: str


class HostSchema(SettingsSchema):
    makes = Host
    port = fields.Integer(load_default=1)
    log_level = fields.String(load_default="")
    allow_origin = fields.String(load_default="")


@dataclass
class Cloud:
    api_key: str
    model: str


class CloudSchema(SettingsSchema):
    section = "cloud"
    makes = Cloud
    api_key = fields.String(load_default="", metadata={"secret": True})
    model = fields.String(load_default="")


SCHEMAS = (HostSchema, CloudSchema)


@pytest.mark.parametrize(
    ("variable", "suggestion"),
    [
        ("VOICEPROXY_CLOUD_API_KEI", "VOICEPROXY_CLOUD_API_KEY"),
        ("VOICEPROXY_CLOUD_KEY", "VOICEPROXY_CLOUD_API_KEY"),
        ("VOICEPROXY_PROT", "VOICEPROXY_PORT"),
        ("VOICEPROXY_LOG_LEVLE", "VOICEPROXY_LOG_LEVEL"),
        ("VOICEPROXY_ALLOW_ORIGINS", "VOICEPROXY_ALLOW_ORIGIN"),
        ("VOICEPROXY_CLOUD_XYZ", None),
        ("VOICEPROXY_ZZZZZZ", None),
    ],
)
@pytest.mark.parametrize("layer", ["environ", "dotenv"])
def test_a_misspelt_variable_is_reported_with_the_one_it_resembles(layer, variable, suggestion):
    with pytest.raises(SettingsError) as caught:
        load(SCHEMAS, **{layer: {variable: "x"}})
    hint = f"; did you mean {suggestion}?" if suggestion else ""
    assert caught.value.problems == (f"{variable}: unknown variable{hint}",)


@pytest.mark.parametrize(
    "variable",
    [
        "VOICEPROXY_PLUGINS",
        "VOICEPROXY_UPSTREAM_URL",
        "VOICEPROXY_METRICS_PORT",
        "VOICEPROXY_OTHER_API_KEY",
        "CLOUD_MODEL",
        "VOICEPROXYX_CLOUD_API_KEI",
    ],
)
def test_a_variable_that_may_belong_to_somebody_else_is_left_alone(variable):
    assert load(SCHEMAS, environ={variable: "x"})


def test_a_variable_of_an_installed_plugin_that_is_not_loaded_is_left_alone():
    environ = {"VOICEPROXY_LOGGING_LEVEL": "x", "VOICEPROXY_CLOUD_TWO_MODEL": "x"}
    assert load(SCHEMAS, environ=environ, elsewhere={"logging", "cloud-two", "cloud"})


def test_the_section_of_a_loaded_plugin_is_not_elsewhere():
    with pytest.raises(SettingsError, match="VOICEPROXY_CLOUD_MODL"):
        load(SCHEMAS, environ={"VOICEPROXY_CLOUD_MODL": "x"}, elsewhere={"cloud"})


def test_unknown_names_given_to_create_app_are_reported_with_the_one_they_resemble():
    with pytest.raises(SettingsError) as caught:
        load(SCHEMAS, overrides={"prot": 1, "cloud.modle": 2, "zzz": 3})
    assert caught.value.problems == (
        "create_app setting 'cloud.modle': unknown; did you mean 'cloud.model'?",
        "create_app setting 'prot': unknown; did you mean 'port'?",
        "create_app setting 'zzz': unknown",
    )


def test_an_upstream_url_nobody_takes_is_a_problem_as_a_flag_but_not_as_a_variable():
    with pytest.raises(SettingsError) as caught:
        load(SCHEMAS, flags={"upstream_url": "ws://x", "nonsense": "x"})
    assert caught.value.problems == (
        "flag for 'nonsense': unknown",
        "--upstream-url: no plugin that was named takes an upstream URL",
    )
    assert load(SCHEMAS, environ={"VOICEPROXY_UPSTREAM_URL": "ws://x"})
