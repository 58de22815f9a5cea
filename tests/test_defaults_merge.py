"""How defaults and overrides meet what a client sends."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceproxy_defaults.merge import MOST, over, stack, under

OVER = [
    ({"a": 1}, {"a": 2}, {"a": 2}),
    ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
    ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"b": 3, "c": 2}}),
    ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
    ({"a": {"b": 1}}, {"a": [3]}, {"a": [3]}),
    ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
    ({"b": 2}, {"a": {"c": None}}, {"a": {}, "b": 2}),
    ({"a": "id"}, {"a": {"b": 1}}, {"a": {"b": 1}}),
    ({"a": {"b": 1}}, {"a": "id"}, {"a": "id"}),
    ({"a": [{"b": 1}, {"c": 2}]}, {"a": {"b": 3}}, {"a": [{"b": 3}, {"b": 3, "c": 2}]}),
    ({"a": []}, {"a": {"b": 3}}, {"a": {"b": 3}}),
    ({"a": [{"b": 1}, 7]}, {"a": {"b": 3}}, {"a": {"b": 3}}),
    ({"a": [{}] * (MOST + 1)}, {"a": {"b": 3}}, {"a": {"b": 3}}),
    (None, {"a": 1}, {"a": 1}),
]


@pytest.mark.parametrize(("client", "override", "merged"), OVER)
def test_an_override_counts_whatever_the_client_sends(client, override, merged):
    assert over(client, override) == merged


UNDER = [
    ({"a": 1}, {"a": 2}, {"a": 1}),
    ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
    ({"a": None}, {"a": 2}, {"a": 2}),
    ({"a": None}, {"a": {"b": 2}}, {"a": {"b": 2}}),
    ({"a": ""}, {"a": "x"}, {"a": ""}),
    ({"a": {"b": 1}}, {"a": {"b": 3, "c": 2}}, {"a": {"b": 1, "c": 2}}),
    ({"a": [1]}, {"a": [2, 3]}, {"a": [1]}),
    ({"a": "id"}, {"a": {"b": 1}}, {"a": "id"}),
    ({"a": [{"b": 1}, {}]}, {"a": {"b": 3}}, {"a": [{"b": 1}, {"b": 3}]}),
    ({"a": []}, {"a": {"b": 3}}, {"a": []}),
]


@pytest.mark.parametrize(("client", "default", "merged"), UNDER)
def test_a_default_counts_where_the_client_sends_nothing(client, default, merged):
    assert under(client, default) == merged


STACK = [
    ({"a": 1}, {"a": 2, "b": None}, {"a": 2, "b": None}),
    ({"a": {"b": None}}, {"a": {"c": 1}}, {"a": {"b": None, "c": 1}}),
    ({"a": [{"b": 1}, {}]}, {"a": {"b": None}}, {"a": [{"b": None}, {"b": None}]}),
    ({"a": {"b": 1}}, {"a": [1]}, {"a": [1]}),
    ({"a": None}, {"a": {"b": 1}}, {"a": {"b": 1}}),
]


@pytest.mark.parametrize(("lower", "upper", "both"), STACK)
def test_of_two_overrides_the_upper_counts_and_nulls_stay(lower, upper, both):
    assert stack(lower, upper) == both


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=12,
)
objects = st.dictionaries(st.sampled_from("abc"), json)


@given(objects, objects)
def test_an_override_is_in_force_at_once_and_merging_twice_changes_nothing(client, override):
    before = copy.deepcopy((client, override))
    merged = over(client, override)
    assert (client, override) == before
    assert over(merged, override) == merged
    for key, inner in override.items():
        assert (key in merged) == (inner is not None)


@given(objects, objects)
def test_a_default_takes_nothing_from_the_client(client, default):
    before = copy.deepcopy((client, default))
    merged = under(client, default)
    assert (client, default) == before
    assert merged.keys() == client.keys() | default.keys()
    assert all(
        merged[key] == value
        for key, value in client.items()
        if value is not None and not isinstance(value, dict | list)
    )
