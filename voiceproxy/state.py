"""What plugins keep for one session, under typed keys."""

from __future__ import annotations

from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")
D = TypeVar("D")


class StateKey(Generic[T]):
    """A typed key of ``session.state``. Two keys are never equal, whatever their names."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<StateKey {self.name}>"


class State:
    """What plugins keep for one session. Shared between plugins, freed after the close hooks."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: dict[StateKey[Any], Any] = {}

    def __getitem__(self, key: StateKey[T]) -> T:
        value: T = self._values[key]
        return value

    def __setitem__(self, key: StateKey[T], value: T) -> None:
        self._values[key] = value

    def __delitem__(self, key: StateKey[T]) -> None:
        del self._values[key]

    def __contains__(self, key: StateKey[Any]) -> bool:
        return key in self._values

    @overload
    def get(self, key: StateKey[T]) -> T | None: ...
    @overload
    def get(self, key: StateKey[T], default: D) -> T | D: ...
    def get(self, key: StateKey[Any], default: Any = None) -> Any:
        """The value, or the default when the key has none."""
        return self._values.get(key, default)

    def clear(self) -> None:
        """Drop every value."""
        self._values.clear()
