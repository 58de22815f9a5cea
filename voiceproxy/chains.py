"""The hook implementations of one application, compiled once into plain tuples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voiceproxy.frames import Frame

if TYPE_CHECKING:
    from voiceproxy.plugins import Implementation, Plugins


@dataclass(frozen=True, slots=True)
class Link:
    """One implementation of a frame hook, called with positional arguments."""

    plugin: str
    place: int
    """Where it stands in the total order; what its session sends starts behind it."""
    observer: bool
    """A ``trylast`` implementation: it sees what ``observe_as`` names."""
    text_only: bool
    """It names ``message`` or ``text``: audio costs it nothing."""
    wants_message: bool
    call: Callable[[Any, Frame, Any], Any]


@dataclass(frozen=True, slots=True)
class Chain:
    """The links of one hook in order.

    ``start[place]`` is the index of the first link at that place or behind it, for every place
    and the two behind the last: the backend's, and what comes after it.
    """

    links: tuple[Link, ...]
    start: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Direction:
    """The two chains of one direction: text, and audio without those that want text alone."""

    hook: str
    text: Chain
    binary: Chain


@dataclass(frozen=True, slots=True)
class Step:
    """One implementation of a hook that concerns no frame."""

    plugin: str
    place: int
    call: Callable[..., Any]
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chains:
    """Everything the frame path and the life cycle call, in the total order."""

    places: tuple[str, ...]
    """The plugin's name at each place."""
    client: Direction
    upstream: Direction
    connect: tuple[Step, ...]
    asked: frozenset[str]
    """The plugins that have a connect hook."""
    upstream_open: tuple[Step, ...]
    close: tuple[Step, ...]


HOOKS = (
    "voiceproxy_connect",
    "voiceproxy_upstream_open",
    "voiceproxy_client_frame",
    "voiceproxy_upstream_frame",
    "voiceproxy_close",
)


def compile_chains(plugins: Plugins) -> Chains:
    """Sort every implementation into one order for all hooks and both directions."""
    found = {hook: plugins.implementations(hook) for hook in HOOKS}
    orders = sorted({one.order: one.plugin_name for ones in found.values() for one in ones}.items())
    place_of = {order: place for place, (order, _) in enumerate(orders)}

    def direction(hook: str) -> Direction:
        links = [_link(one, place_of[one.order]) for one in found[hook]]
        audio = [link for link in links if not link.text_only]
        return Direction(hook, _chain(links, len(orders)), _chain(audio, len(orders)))

    def steps(hook: str) -> tuple[Step, ...]:
        return tuple(
            Step(one.plugin_name, place_of[one.order], one.function, tuple(one.argument_names))
            for one in found[hook]
        )

    return Chains(
        places=tuple(name for _, name in orders),
        client=direction("voiceproxy_client_frame"),
        upstream=direction("voiceproxy_upstream_frame"),
        connect=steps("voiceproxy_connect"),
        asked=frozenset(one.plugin_name for one in found["voiceproxy_connect"]),
        upstream_open=steps("voiceproxy_upstream_open"),
        close=steps("voiceproxy_close"),
    )


def _chain(links: Sequence[Link], places: int) -> Chain:
    start = tuple(sum(link.place < place for link in links) for place in range(places + 2))
    return Chain(tuple(links), start)


def _link(one: Implementation, place: int) -> Link:
    names = tuple(one.argument_names)
    return Link(
        plugin=one.plugin_name,
        place=place,
        observer=one.observer,
        text_only="message" in names or "text" in names,
        wants_message="message" in names,
        call=_positional(one.function, names),
    )


def _positional(function: Callable[..., Any], names: tuple[str, ...]) -> Callable[..., Any]:
    """The function as (session, frame, message), whatever subset and order it names.

    ``text`` is the frame, for one that wants text frames alone.
    """
    if names in _ADAPTERS:
        return _ADAPTERS[names](function)
    position = {"session": 0, "frame": 1, "text": 1, "message": 2}
    indexes = tuple(position[name] for name in names)
    return lambda *given: function(*[given[index] for index in indexes])


_ADAPTERS: Mapping[tuple[str, ...], Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    ("session", "frame", "message"): lambda function: function,
    ("session", "frame"): lambda function: lambda session, frame, message: function(session, frame),
    ("session", "text"): lambda function: lambda session, frame, message: function(session, frame),
    ("session", "message"): lambda function: (
        lambda session, frame, message: function(session, message)
    ),
}
"""The usual orders of arguments, each without more than one call in between."""
