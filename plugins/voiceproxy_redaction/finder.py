"""Everything that is looked for, in one text."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from types import MappingProxyType

from voiceproxy_redaction.addresses import emails, ips
from voiceproxy_redaction.digits import MAX_RUN, open_run
from voiceproxy_redaction.ibans import MAX_IBAN, ibans, open_iban
from voiceproxy_redaction.keys import keys
from voiceproxy_redaction.numbers import READERS, numbers
from voiceproxy_redaction.patterns import Pattern
from voiceproxy_redaction.spans import Span, merged

_IN_WORDS: Mapping[str, Callable[[str], Iterator[Span]]] = MappingProxyType(
    {"email": emails, "ip": ips, "key": keys}
)

KINDS = (*_IN_WORDS, "iban", *READERS)
"""What is known without a pattern from the settings."""


_DIGIT = re.compile(r"\d")

_BRIDGE = re.compile(r"\d|[+(]\s*\Z|(?<![0-9A-Za-z])[A-Za-z]{1,2}\s*\Z")
"""Digits, the sign of a number, or what may be the country of an IBAN."""

_REACH = max(MAX_RUN, MAX_IBAN)
"""How far back digits at the end can belong to something unfinished."""


class Finder:
    """The kinds and patterns one application looks for."""

    def __init__(self, kinds: Collection[str] = KINDS, patterns: Iterable[Pattern] = ()) -> None:
        self._words = [search for kind, search in _IN_WORDS.items() if kind in kinds]
        self._ibans = "iban" in kinds
        self._readers = {kind: reader for kind, reader in READERS.items() if kind in kinds}
        self._patterns = tuple(patterns)

    def find(self, text: str) -> list[Span]:
        """Every find, in order, none overlapping."""
        return merged(self._found(text))

    def _found(self, text: str) -> Iterator[Span]:
        for search in self._words:
            yield from search(text)
        if _DIGIT.search(text):
            if self._ibans:
                yield from ibans(text)
            yield from numbers(text, self._readers)
        for pattern in self._patterns:
            yield from pattern.find(text)

    def open(self, text: str) -> int:
        """Where the run at the end begins that more text could make a match of.

        The text's length when there is none: then nothing that follows can reach back into it.
        """
        start = _last_word(text)
        if _DIGIT.search(text, max(0, len(text) - _REACH)):
            start = min(start, open_run(text), open_iban(text))
        return min([start, *(pattern.open(text) for pattern in self._patterns)])

    def bridges(self, before: str) -> bool:
        """Whether something that began in a text may go on behind a blank."""
        return bool(self._patterns) or _BRIDGE.search(before) is not None


def _last_word(text: str) -> int:
    """Any word could become an address or a key as long as no blank follows it."""
    if not text or text[-1].isspace():
        return len(text)
    return len(text) - len(text.rsplit(None, 1)[-1])
