from dataclasses import dataclass

import pytest
from marshmallow import ValidationError, fields, validates_schema
from marshmallow.validate import Range

from voiceproxy.errors import SettingsError
from voiceproxy.settings import SettingsSchema, describe, load, show


@dataclass(frozen=True)
class Weather:
    model: str
    api_key: str
    days: int
    cities: list[str]
    loud: bool
    address: str


class WeatherSchema(SettingsSchema):
    section = "weather"
    makes = Weather

    model = fields.String(load_default="plain", metadata={"help": "The model."})
    api_key = fields.String(
        load_default="", metadata={"secret": True, "variables": ["WEATHER_KEY", "RAIN_KEY"]}
    )
    days = fields.Integer(load_default=3, validate=Range(min=1), metadata={"variables": ["DAYS"]})
    cities = fields.List(fields.String(), load_default=list)
    loud = fields.Boolean(load_default=False)
    address = fields.Url(
        schemes={"ws", "wss"},
        require_tld=False,
        load_default="wss://weather.example/v1",
        metadata={"upstream_url": True},
    )


@dataclass(frozen=True)
class Tide:
    address: str
    height: float


class TideSchema(SettingsSchema):
    section = "tide"
    makes = Tide

    address = fields.Url(schemes={"ws"}, require_tld=False, metadata={"upstream_url": True})
    height = fields.Float(required=True)


def problems_of(*schemas, **layers):
    with pytest.raises(SettingsError) as caught:
        load(schemas, **layers)
    return list(caught.value.problems)


def test_without_any_layer_the_defaults_apply():
    configuration = load([WeatherSchema])
    assert configuration[Weather] == Weather("plain", "", 3, [], False, "wss://weather.example/v1")
    assert {value.source for value in configuration.values} == {"default"}


LAYERS = {
    "overrides": {"weather.days": 5},
    "flags": {"weather.days": "6"},
    "environ": {"VOICEPROXY_WEATHER_DAYS": "7"},
    "dotenv": {"VOICEPROXY_WEATHER_DAYS": "8"},
}


@pytest.mark.parametrize(
    ("strongest", "days", "source"),
    [
        ("overrides", 5, "create_app"),
        ("flags", 6, "flag --weather-days"),
        ("environ", 7, "environment VOICEPROXY_WEATHER_DAYS"),
        ("dotenv", 8, ".env"),
    ],
)
def test_a_stronger_layer_wins_and_is_named_as_the_source(strongest, days, source):
    names = list(LAYERS)
    weaker = {name: LAYERS[name] for name in names[names.index(strongest) :]}
    configuration = load([WeatherSchema], **weaker)
    assert configuration[Weather].days == days
    assert configuration.source("weather.days") == source


def test_the_specific_variable_wins_over_customary_ones_in_their_order():
    environ = {"RAIN_KEY": "third"}
    assert load([WeatherSchema], environ=environ)[Weather].api_key == "third"
    environ["WEATHER_KEY"] = "second"
    assert load([WeatherSchema], environ=environ)[Weather].api_key == "second"
    environ["VOICEPROXY_WEATHER_API_KEY"] = "first"
    assert load([WeatherSchema], environ=environ)[Weather].api_key == "first"


def test_a_customary_variable_of_the_environment_wins_over_the_env_file():
    configuration = load(
        [WeatherSchema], environ={"DAYS": "1"}, dotenv={"VOICEPROXY_WEATHER_DAYS": "2"}
    )
    assert configuration[Weather].days == 1
    assert configuration.source("weather.days") == "environment DAYS"


def test_a_blank_variable_counts_as_not_set():
    environ = {"VOICEPROXY_WEATHER_DAYS": "  ", "DAYS": "", "VOICEPROXY_WEATHER_NONSENSE": ""}
    configuration = load([WeatherSchema], environ=environ, dotenv={"DAYS": "9", "OTHER": None})
    assert configuration[Weather].days == 9


def test_white_space_around_a_variable_is_not_part_of_it():
    assert load([WeatherSchema], environ={"WEATHER_KEY": " abc\n"})[Weather].api_key == "abc"


def test_a_list_is_comma_separated_in_the_environment_and_a_list_of_flags():
    environ = {"VOICEPROXY_WEATHER_CITIES": "Oslo, Rio ,,"}
    assert load([WeatherSchema], environ=environ)[Weather].cities == ["Oslo", "Rio"]
    flags = {"weather.cities": ["Oslo, Norway", "Rio"]}
    assert load([WeatherSchema], flags=flags)[Weather].cities == ["Oslo, Norway", "Rio"]


@pytest.mark.parametrize(("text", "loud"), [("true", True), ("1", True), ("no", False)])
def test_a_boolean_is_a_word_in_the_environment(text, loud):
    assert load([WeatherSchema], environ={"VOICEPROXY_WEATHER_LOUD": text})[Weather].loud is loud


def test_the_upstream_url_sets_the_first_schema_that_has_one():
    layers = {"flags": {"upstream_url": "ws://x:1"}, "overrides": {"tide.height": 1}}
    configuration = load([WeatherSchema, TideSchema], **layers, environ={}, dotenv=TIDE_ADDRESS)
    assert configuration[Weather].address == "ws://x:1"
    assert configuration[Tide].address == "ws://tide"
    assert configuration.source("weather.address") == "flag --upstream-url"
    configuration = load([TideSchema, WeatherSchema], **layers)
    assert configuration[Tide].address == "ws://x:1"
    assert configuration[Weather].address == "wss://weather.example/v1"


TIDE_ADDRESS = {"VOICEPROXY_TIDE_ADDRESS": "ws://tide"}


def test_the_upstream_url_is_a_variable_too_and_the_backends_own_wins_over_it():
    environ = {"VOICEPROXY_UPSTREAM_URL": "ws://general"}
    assert load([WeatherSchema], environ=environ)[Weather].address == "ws://general"
    environ["VOICEPROXY_WEATHER_ADDRESS"] = "ws://own"
    assert load([WeatherSchema], environ=environ)[Weather].address == "ws://own"


def test_all_problems_of_all_schemas_are_reported_together():
    assert problems_of(
        WeatherSchema,
        TideSchema,
        flags={"weather.days": "0", "weather.address": "http://x"},
        environ={"VOICEPROXY_TIDE_HEIGHT": "high", "VOICEPROXY_WEATHER_LOUD": "perhaps"},
        overrides={"tide.address": "ws://x", "weather.cities": ["a", 2]},
    ) == [
        (
            "VOICEPROXY_WEATHER_DAYS (--weather-days): Must be greater than or equal to 1. "
            "(given by flag --weather-days)"
        ),
        (
            "VOICEPROXY_WEATHER_CITIES (--weather-cities): item 2: Not a valid string. "
            "(given by create_app)"
        ),
        (
            "VOICEPROXY_WEATHER_LOUD (--weather-loud): Not a valid boolean. "
            "(given by environment VOICEPROXY_WEATHER_LOUD)"
        ),
        (
            "VOICEPROXY_WEATHER_ADDRESS (--weather-address): Not a valid URL. "
            "(given by flag --weather-address)"
        ),
        (
            "VOICEPROXY_TIDE_HEIGHT (--tide-height): Not a valid number. "
            "(given by environment VOICEPROXY_TIDE_HEIGHT)"
        ),
    ]


def test_a_missing_required_setting_names_its_variable_and_flag():
    assert problems_of(TideSchema) == [
        "VOICEPROXY_TIDE_HEIGHT (--tide-height): Missing data for required field."
    ]


def test_a_secret_is_named_without_a_flag_and_its_value_is_in_no_problem():
    (problem,) = problems_of(WeatherSchema, overrides={"weather.api_key": ["hush"]})
    assert problem == "VOICEPROXY_WEATHER_API_KEY: Not a valid string. (given by create_app)"


def test_a_rule_across_fields_speaks_for_its_section_or_for_a_field():
    class Paired(WeatherSchema):
        @validates_schema
        def check(self, data, **_):
            if data["loud"]:
                raise ValidationError("Loud needs a city.")
            if data["days"] > 3:
                raise ValidationError("Too many.", "days")

    assert problems_of(Paired, overrides={"weather.loud": True}) == [
        "settings of weather: Loud needs a city."
    ]
    assert problems_of(Paired, overrides={"weather.days": 4}) == [
        "VOICEPROXY_WEATHER_DAYS (--weather-days): Too many. (given by create_app)"
    ]


def test_messages_nested_in_a_mapping_name_the_key():
    class Named(SettingsSchema):
        section = "named"
        makes = dict
        prices = fields.Dict(values=fields.Integer())

    (problem,) = problems_of(Named, overrides={"named.prices": {"tea": "x"}})
    assert "prices" in problem.lower()
    assert "tea: value: Not a valid integer." in problem


def test_two_schemas_that_claim_one_variable_are_refused():
    class Clash(SettingsSchema):
        section = ""
        makes = dict
        weather_days = fields.Integer()

    (problem,) = problems_of(WeatherSchema, Clash)
    assert problem.startswith("VOICEPROXY_WEATHER_DAYS: claimed by ")
    assert "WeatherSchema and " in problem
    assert problem.endswith("Clash")


def test_a_schema_named_twice_is_loaded_once():
    assert len(load([WeatherSchema, WeatherSchema]).values) == len(WeatherSchema().fields)


def test_what_was_not_loaded_is_asked_for_in_vain():
    configuration = load([WeatherSchema])
    assert configuration.get(Tide) is None
    with pytest.raises(KeyError, match="no loaded plugin has settings of class Tide"):
        configuration[Tide]
    with pytest.raises(KeyError):
        configuration.source("tide.height")


def test_a_configuration_shows_no_value_of_its_own_accord():
    configuration = load([WeatherSchema], environ={"WEATHER_KEY": "hush"})
    assert repr(configuration) == "<Configuration of Weather>"


def test_describe_gives_every_name_of_a_setting():
    ((schema, settings),) = describe([WeatherSchema])
    by_name = {setting.name: setting for setting in settings}
    assert schema is WeatherSchema
    assert by_name["api_key"].secret
    assert by_name["api_key"].flags == ()
    assert by_name["api_key"].flag == "--weather-api-key"
    assert by_name["api_key"].variables == (
        "VOICEPROXY_WEATHER_API_KEY",
        "WEATHER_KEY",
        "RAIN_KEY",
    )
    assert by_name["address"].flags == ("--weather-address", "--upstream-url")
    assert by_name["address"].keys == ("weather.address", "upstream_url")
    assert not by_name["model"].secret
    assert by_name["model"].help == "The model."
    assert by_name["days"].help == ""


def test_the_settings_are_shown_one_a_line_with_secrets_masked():
    configuration = load(
        [WeatherSchema],
        environ={"WEATHER_KEY": "hush", "VOICEPROXY_WEATHER_CITIES": "Oslo,Rio"},
        flags={"weather.model": "a\nb"},
    )
    lines = [line.split("  ") for line in show(configuration).splitlines()]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert cells == [
        ["weather.model", "'a\\nb'", "flag --weather-model", "VOICEPROXY_WEATHER_MODEL",
         "--weather-model"],
        ["weather.api_key", "********", "environment WEATHER_KEY", "VOICEPROXY_WEATHER_API_KEY"],
        ["weather.days", "3", "default", "VOICEPROXY_WEATHER_DAYS", "--weather-days"],
        ["weather.cities", "Oslo, Rio", "environment VOICEPROXY_WEATHER_CITIES",
         "VOICEPROXY_WEATHER_CITIES", "--weather-cities"],
        ["weather.loud", "False", "default", "VOICEPROXY_WEATHER_LOUD", "--weather-loud"],
        ["weather.address", "wss://weather.example/v1", "default", "VOICEPROXY_WEATHER_ADDRESS",
         "--weather-address"],
    ]  # fmt: skip


def test_a_secret_that_is_not_set_is_shown_as_empty():
    assert "weather.api_key  (empty)" in show(load([WeatherSchema]))


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("wss://user:hush@host/v1", "wss://user:********@host/v1"),
        ("wss://host/v1?model=m&api_key=hush", "wss://host/v1?model=m&api_key=********"),
        ("wss://host/v1?model=m", "wss://host/v1?model=m"),
    ],
)
def test_credentials_inside_an_address_are_masked(address, shown):
    text = show(load([WeatherSchema], flags={"weather.address": address}))
    assert f" {shown} " in text
    assert "hush" not in text


def test_nothing_loaded_shows_nothing():
    assert show(load([])) == ""
