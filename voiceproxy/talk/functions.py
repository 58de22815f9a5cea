"""Functions the agent may call, and the answers it gets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class FunctionsError(ValueError):
    """The file of functions cannot be used; the text says why, without the file's name."""


def read_functions(path: Path) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Read a JSON list of function definitions, each with the answer its calls get.

    A definition is as Settings has it (``name``, ``description``, ``parameters``) plus ``answer``:
    any JSON, or a string that is sent as it is. Returns the definitions without their answers, and
    the answers by function name. Raises OSError and FunctionsError.
    """
    try:
        content = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise FunctionsError(f"it is not JSON: {error}") from error
    if not isinstance(content, list):
        raise FunctionsError("it is not a list of functions")
    definitions = [_check(item, place) for place, item in enumerate(content)]
    answers = {
        item["name"]: _encode(item.pop("answer")) for item in definitions if "answer" in item
    }
    return definitions, answers


def _check(item: Any, place: int) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise FunctionsError(f"its item {place} is not an object")
    name = item.get("name")
    if not isinstance(name, str) or not name.strip():
        raise FunctionsError(f"its item {place} has no name")
    return item


def _encode(answer: Any) -> str:
    return answer if isinstance(answer, str) else orjson.dumps(answer).decode()


def answer_call(call: Mapping[str, Any], answers: Mapping[str, str]) -> dict[str, Any]:
    """Make the FunctionCallResponse for one item of a FunctionCallRequest.

    A function without an answer gets an error as content, so that the agent can go on.
    """
    name = str(call.get("name", ""))
    refusal = _encode({"error": f"The function {name} is not available in this client."})
    return {
        "type": "FunctionCallResponse",
        "id": call.get("id", ""),
        "name": name,
        "content": answers.get(name, refusal),
    }
