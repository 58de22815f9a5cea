"""The JSON types messages are made of, as marshmallow fields that convert nothing.

marshmallow's own fields take ``"16000"`` for a number and ``"yes"`` for true. A relay hands the
message on as it came, so here a value either has the JSON type or is a problem. No error text
repeats a value: it may be spoken words or a secret.
"""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields

MAX_ITEMS = 1_000
"""The longest array a message may hold unless its field says otherwise. Every item costs some ten
microseconds, in which no other session moves, and a client frame has room for a million of them."""

NOT_AN_OBJECT = "Must be an object."
SCHEMA_TEXTS = {"type": NOT_AN_OBJECT}


class Shape(Schema):
    """A JSON object from a client. Unknown keys are allowed: SDKs are ahead of this table.

    An optional field may be null, which is the same as absent: JavaScript clients send both.
    """

    class Meta:
        """Leave alone what is not known."""

        unknown = EXCLUDE

    error_messages = SCHEMA_TEXTS

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Let every field that is not required be null."""
        if not field_obj.required:
            field_obj.allow_none = True


class ClosedShape(Schema):
    """A JSON object to a client: the keys named here and no others, none of them null."""

    class Meta:
        """Refuse what is not known."""

        unknown = RAISE

    error_messages = SCHEMA_TEXTS

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Let no field be null."""
        field_obj.allow_none = False


class Str(fields.Field[str]):
    """A string."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError("Must be a string.")
        return value


class Bool(fields.Field[bool]):
    """True or false."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("Must be true or false.")
        return value


class Number(fields.Field[float]):
    """A number, whole or not."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValidationError("Must be a number.")
        return value


class Whole(fields.Field[int]):
    """A number written without a fraction."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValidationError("Must be a whole number.")
        return value


class AnyObject(fields.Field[dict[str, Any]]):
    """An object whose content is not this protocol's: a JSON Schema, credentials."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValidationError(NOT_AN_OBJECT)
        return value


class StringMap(fields.Field[dict[str, str]]):
    """An object of strings, such as HTTP headers. Its keys, the client's own, are not named."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> dict[str, str]:
        if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
            raise ValidationError("Must be an object whose values are strings.")
        return value


class Items(fields.List[Any]):
    """An array of at most ``most`` items, counted before any of them is looked at."""

    def __init__(self, item: fields.Field[Any], *, most: int = MAX_ITEMS, **options: Any) -> None:
        super().__init__(item, **options)
        self.most = most

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> list[Any]:
        if not isinstance(value, list):
            raise ValidationError("Must be an array.")
        refuse_more_than(self.most, value)
        return super()._deserialize(value, attr, data, **options)


class OneOrMore(fields.Field[Any]):
    """An object of ``shape``, or an array of such objects in order of preference."""

    MOST = 100

    def __init__(self, shape: Schema, **options: Any) -> None:
        super().__init__(**options)
        self.shape = shape

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if not isinstance(value, dict | list):
            raise ValidationError("Must be an object or an array of objects.")
        if isinstance(value, list):
            refuse_more_than(self.MOST, value)
        if value == []:
            raise ValidationError("Must have at least one item.")
        return self.shape.load(value, many=isinstance(value, list))


class StrOr(fields.Field[Any]):
    """``string`` (says what it stands for; not blank) or an object of ``shape``."""

    def __init__(self, string: str, shape: Schema, **options: Any) -> None:
        super().__init__(**options)
        self.string = string
        self.shape = shape

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if isinstance(value, str):
            refuse_blank(value)
            return value
        if not isinstance(value, dict):
            raise ValidationError(f"Must be an object or {self.string}.")
        return self.shape.load(value)


def refuse_blank(value: str) -> None:
    """Raise ``ValidationError`` for a string of nothing but white space."""
    if not value.strip():
        raise ValidationError("Must not be blank.")


def refuse_non_positive(value: float) -> None:
    """Raise ``ValidationError`` for zero and less."""
    if value <= 0:
        raise ValidationError("Must be greater than 0.")


def refuse_more_than(most: int, items: list[Any]) -> None:
    """Raise ``ValidationError`` for a longer array."""
    if len(items) > most:
        raise ValidationError(f"Must have at most {most} items.")
