"""The query of a connection, read strictly: what the service would not take is a 400."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from multidict import MultiMapping

from voiceproxy_simulator.deepgram.handshake import bad_request

_LANGUAGE = re.compile(r"[A-Za-z]{2,4}(-[A-Za-z0-9]{2,8}){0,2}|multi")


class Query:
    """Reads parameters by name. Every method raises ``Refused`` with 400 for a bad value."""

    def __init__(self, values: MultiMapping[str]) -> None:
        self._values = values

    def text(self, name: str) -> str | None:
        """The first value, as it is."""
        return self._values.get(name)

    def texts(self, name: str) -> Sequence[str]:
        """Every value."""
        return self._values.getall(name, [])

    def flag(self, name: str) -> bool:
        """``true`` or ``false``; absent is false."""
        value = self._values.get(name, "false")
        if value not in {"true", "false"}:
            raise bad_request(f"Invalid query string: {name} must be true or false.")
        return value == "true"

    def whole(self, name: str, low: int, high: int) -> int | None:
        """An integer from ``low`` to ``high``."""
        value = self._values.get(name)
        if value is None:
            return None
        if not re.fullmatch(r"\d{1,9}", value) or not low <= int(value) <= high:
            message = f"{name} must be an integer from {low} to {high}."
            raise bad_request(f"Invalid query string: {message}")
        return int(value)

    def number(self, name: str, low: float, high: float) -> float | None:
        """A number from ``low`` to ``high``."""
        value = self._values.get(name)
        if value is None:
            return None
        if not re.fullmatch(r"-?\d{1,9}(\.\d{1,9})?", value) or not low <= float(value) <= high:
            message = f"{name} must be a number from {low:g} to {high:g}."
            raise bad_request(f"Invalid query string: {message}")
        return float(value)

    def choice(self, name: str, choices: Collection[str]) -> str | None:
        """One of ``choices``."""
        value = self._values.get(name)
        if value is not None and value not in choices:
            message = f"{name} must be one of {', '.join(choices)}."
            raise bad_request(f"Invalid query string: {message}")
        return value

    def language(self, name: str) -> str | None:
        """A BCP 47 tag, or ``multi``."""
        value = self._values.get(name)
        if value is not None and not _LANGUAGE.fullmatch(value):
            raise bad_request(f"Invalid query string: {name} is not a language.")
        return value

    def refuse_others(self, names: Collection[str]) -> None:
        """Refuse parameters that are not among ``names``; ``extra[a]`` counts as ``extra``."""
        for name in self._values:
            if name.partition("[")[0] not in names:
                raise bad_request(f"Invalid query string: unknown parameter {name[:64]!a}.")
