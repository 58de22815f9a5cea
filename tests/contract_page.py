"""docs/contract.md as data: its rules, where each stands, and the tests it names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "contract.md"

STANDINGS = ("kept", "replaced", "new", "fixed", "fact", "not applicable", "elsewhere")
KINDS = [
    "API", "K", "NET", "SES", "MAP", "TXT", "AUD", "TRN", "OUT", "FCT", "MSG", "EVT", "ERR", "CLS",
    "CLI", "DEF", "RUN", "TLS", "BKD", "LOG", "FNC", "RLY", "DGM", "DOC",
]  # fmt: skip
ID = rf"(?:{'|'.join(KINDS)})-\d+"

_SECTION = re.compile(r"^## (.+)$")
_RULE = re.compile(rf"^- \*\*({ID})\*\* · ({'|'.join(STANDINGS)})[.: ]")
_PROOF = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_NAMED_ID = re.compile(rf"_({'|'.join(KINDS[1:]).lower()})_([1-9]\d*)")


class Proof(NamedTuple):
    """A test function, by its file below the root."""

    file: str
    name: str


class Rule(NamedTuple):
    """One rule of the page."""

    id: str
    section: str
    standing: str
    text: str
    proofs: tuple[Proof, ...]


def rules(page: str) -> list[Rule]:
    """Every rule in the order of the page."""
    found = []
    section = ""
    lines = page.splitlines()
    for number, line in enumerate(lines):
        title = _SECTION.match(line)
        section = title[1] if title else section
        rule = _RULE.match(line)
        if rule:
            text = "\n".join([line, *_continued(lines[number + 1 :])])
            proofs = tuple(Proof(*pair) for pair in _PROOF.findall(text))
            found.append(Rule(rule[1], section, rule[2], text, proofs))
    return found


def _continued(lines: list[str]) -> Iterator[str]:
    """The indented lines that belong to the bullet before them."""
    for line in lines:
        if not line.startswith("  "):
            return
        yield line


@cache
def functions_of(file: str) -> frozenset[str]:
    """The test functions of a file, those of classes included."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    )


def ids_in(test: str) -> list[str]:
    """The contract ids in a test's name: ``..._txt_2_def_6`` has TXT-2 and DEF-6."""
    return [f"{kind.upper()}-{number}" for kind, number in _NAMED_ID.findall(test)]
