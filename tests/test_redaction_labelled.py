"""How much is found of labelled texts, and how much is taken for what it is not.

The held-out set was written before the code and has not been used to improve it; the second-hand
set was written by somebody who had not seen the code.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from voiceproxy_redaction.finder import KINDS, Finder

DATA = Path(__file__).parent / "data" / "redaction"
SETS = ("held_out", "tuned", "second_hand")

FLOORS = {
    "email": (1.0, 1.0),
    "phone": (0.94, 0.97),
    "card": (0.94, 1.0),
    "iban": (1.0, 1.0),
    "ssn": (1.0, 0.87),
    "ip": (1.0, 1.0),
    "key": (1.0, 1.0),
}
"""Kind -> (precision, recall) that each set reaches at least."""

FLOORS_SECOND_HAND = {**FLOORS, "ssn": (1.0, 0.75), "ip": (0.9, 1.0), "key": (0.92, 1.0)}


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / f"{name}.jsonl").read_text().splitlines()]


@dataclass
class Score:
    right: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)

    def precision(self, kind: str) -> float:
        return self.right[kind] / (self.right[kind] + self.wrong[kind])

    def recall(self, kind: str) -> float:
        return self.right[kind] / (self.right[kind] + self.missed[kind])


def measure(name: str) -> Score:
    """A label counts as found when a find of its kind covers it; a find that has no label in it
    is wrong. Every miss and every wrong find is printed."""
    score, finder = Score(), Finder()
    for line in lines(name):
        text, labels = line["text"], line["find"]
        found = [(span.kind, text[span.start : span.end]) for span in finder.find(text)]
        for kind, value in labels:
            covered = any(kind == other and value in span for other, span in found)
            (score.right if covered else score.missed)[kind] += 1
            if not covered:
                print(f"{name}: missed {kind} {value!r} in {text!r}")
        for kind, span in found:
            if not any(value in span for _, value in labels):
                score.wrong[kind] += 1
                print(f"{name}: {kind} {span!r} is none in {text!r}")
    return score


def test_the_labelled_sets_are_large_half_unseen_and_full_of_near_misses():
    sets = {name: lines(name) for name in SETS}
    everything = [line for name in SETS for line in sets[name]]
    near = [line for line in everything if "near" in line]
    assert len(everything) >= 300
    assert len({line["text"] for line in everything}) == len(everything)
    assert min(len(lines) for lines in sets.values()) >= 150
    assert len(near) >= 0.4 * len(everything)
    assert {line["near"] for line in near} == set(KINDS)
    assert all(value in line["text"] for line in everything for _, value in line["find"])


@pytest.mark.parametrize("name", SETS)
def test_precision_and_recall_of_every_kind_reach_their_floors(name: str):
    floors = FLOORS_SECOND_HAND if name == "second_hand" else FLOORS
    score = measure(name)
    reached = {kind: (score.precision(kind), score.recall(kind)) for kind in KINDS}
    for kind, (precision, recall) in reached.items():
        print(f"{name}: {kind} precision {precision:.2f} recall {recall:.2f}")
    below = {
        kind: reached[kind]
        for kind, (precision, recall) in floors.items()
        if reached[kind][0] < precision or reached[kind][1] < recall
    }
    assert below == {}
    assert set(FLOORS) == set(KINDS)


def test_the_figures_of_the_docs_are_those_of_the_held_out_set():
    page = (Path(__file__).parents[1] / "docs" / "how-to" / "redaction.md").read_text()
    score = measure("held_out")
    for kind in KINDS:
        labels = score.right[kind] + score.missed[kind]
        row = f"| `{kind}` | {labels} | {score.precision(kind):.2f} | {score.recall(kind):.2f} |"
        assert row in page
