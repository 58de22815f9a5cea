"""The JSON types of client messages, as strict as the service's own parser: nothing is converted,
no key is unknown. A problem is a ``ValidationError`` whose messages nest like the message does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields

Schemas = Mapping[str, Callable[[], Schema]]


class Shape(Schema):
    """A JSON object with the keys named here and no others. Optional ones may be null."""

    class Meta:
        """Refuse what is not known."""

        unknown = RAISE

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Let every field that is not required be null."""
        field_obj.allow_none = field_obj.allow_none or not field_obj.required


class _Exact(fields.Field[Any]):
    """A value of one JSON type, taken as it is."""

    types: tuple[type, ...] = ()
    expected = ""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        boolean = isinstance(value, bool)
        if not isinstance(value, self.types) or (boolean and bool not in self.types):
            raise ValidationError(f"Must be {self.expected}.")
        return value


class Str(_Exact):
    """A string."""

    types, expected = (str,), "a string"


class Bool(_Exact):
    """True or false."""

    types, expected = (bool,), "true or false"


class Whole(_Exact):
    """A number written without a fraction."""

    types, expected = (int,), "a whole number"


class Number(_Exact):
    """Any number."""

    types, expected = (int, float), "a number"


class Object(_Exact):
    """An object whose content is not this protocol's."""

    types, expected = (dict,), "an object"


class Word(Str):
    """One of a few words."""

    def __init__(self, *words: str, **options: Any) -> None:
        super().__init__(**options)
        self.words = words

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        super()._deserialize(value, *args, **kwargs)
        if value not in self.words:
            raise ValidationError("Is none of the words that may stand here.")
        return value


class Strings(fields.Field[Any]):
    """An array of strings; with ``or_one``, a string alone too."""

    def __init__(self, *, or_one: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.or_one = or_one

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if self.or_one and isinstance(value, str):
            return value
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise ValidationError("Must be an array of strings.")
        return value


class StringMap(Object):
    """An object of strings, such as HTTP headers."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        super()._deserialize(value, *args, **kwargs)
        if not all(isinstance(one, str) for one in value.values()):
            raise ValidationError("Must be an object of strings.")
        return value


class Nested(Object):
    """An object of ``shape``."""

    def __init__(self, shape: Callable[[], Schema], **options: Any) -> None:
        super().__init__(**options)
        self._shape = shape()

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        super()._deserialize(value, *args, **kwargs)
        return self._shape.load(value)


class Tagged(Object):
    """An object of the shape that ``choose`` names; a KeyError of it is an unknown tag."""

    def __init__(self, choose: Callable[[Any], str], shapes: Schemas, **options: Any) -> None:
        super().__init__(**options)
        self._choose = choose
        self._shapes = {tag: shape() for tag, shape in shapes.items()}

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        super()._deserialize(value, *args, **kwargs)
        tag = self._choose(value)
        if tag not in self._shapes:
            raise ValidationError({"type": ["Is missing, or known to nobody."]})
        return self._shapes[tag].load(value)


class Items(fields.Field[Any]):
    """An array of what ``item`` takes; with ``or_one``, one of them alone too."""

    def __init__(self, item: fields.Field[Any], *, or_one: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self._item = item
        self._or_one = or_one

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if self._or_one and isinstance(value, dict):
            return self._item.deserialize(value)
        if not isinstance(value, list):
            raise ValidationError("Must be an array.")
        for place, one in enumerate(value):
            try:
                self._item.deserialize(one)
            except ValidationError as problem:
                raise ValidationError({place: problem.messages}) from None
        return value


def first_problem(messages: Any) -> str:
    """The path of the first field that is wrong: ``agent.think.functions[0].client_side``."""
    path = ""
    while isinstance(messages, dict) and messages:
        key, messages = next(iter(messages.items()))
        path += f"[{key}]" if isinstance(key, int) else f".{key}"
    return path.lstrip(".")
