"""How two pieces of JSON become one. Neither is changed; arrays are never mixed.

Where one has an object and the other an array of objects, the alternatives of ``think`` and
``speak``, the object goes with each of them. How deep it goes is for the operator's file to say,
not for the client.
"""

from __future__ import annotations

from typing import Any

MOST = 100
"""The alternatives the protocol allows; a longer array is treated as any other value."""


def over(value: Any, override: Any) -> Any:
    """``value`` with what ``override`` has instead; a null in it takes a key away."""
    if not isinstance(override, dict):
        return override
    if _is_alternatives(value):
        return [over(one, override) for one in value]
    merged = dict(value) if isinstance(value, dict) else {}
    for key, inner in override.items():
        if inner is None:
            merged.pop(key, None)
        else:
            merged[key] = over(merged.get(key), inner)
    return merged


def stack(lower: Any, upper: Any) -> Any:
    """Two overrides as one: ``upper`` over ``lower``, whose nulls are both still to take effect."""
    if not isinstance(upper, dict):
        return upper
    if _is_alternatives(lower):
        return [stack(one, upper) for one in lower]
    if not isinstance(lower, dict):
        return upper
    return {**lower, **{key: stack(lower.get(key), inner) for key, inner in upper.items()}}


def under(value: Any, default: Any) -> Any:
    """``value`` with what it lacks from ``default``. A null counts as lacking: clients send it."""
    if value is None:
        return default
    if not isinstance(default, dict):
        return value
    if _is_alternatives(value):
        return [under(one, default) for one in value]
    if not isinstance(value, dict):
        return value
    missing = {key: under(value.get(key), inner) for key, inner in default.items()}
    return {**value, **missing}


def _is_alternatives(value: Any) -> bool:
    return (
        isinstance(value, list)
        and 0 < len(value) <= MOST
        and all(isinstance(one, dict) for one in value)
    )
