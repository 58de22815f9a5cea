"""The contract's page is whole: ids, proofs and tests belong together."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from contract_page import ID, PAGE, ROOT, functions_of, ids_in, rules

from voiceproxy_openai.events import BETA_NAMES, COMPATIBLE, EVENTS

TEXT = PAGE.read_text(encoding="utf-8")
RULES = rules(TEXT)
IDS = {rule.id for rule in RULES}
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))

REFERENCE = {
    "K": 11,
    "NET": 11,
    "SES": 15,
    "MAP": 16,
    "TXT": 10,
    "AUD": 19,
    "TRN": 8,
    "OUT": 17,
    "FCT": 14,
    "MSG": 6,
    "EVT": 4,
    "ERR": 9,
    "CLS": 8,
    "CLI": 5,
    "DEF": 32,
    "RUN": 4,
    "TLS": 3,
    "BKD": 4,
    "LOG": 9,
    "FNC": 8,
    "RLY": 6,
    "DGM": 15,
    "DOC": 14,
}
"""How many rules of each kind the reference implementation has; later numbers are ours."""


def test_every_rule_of_the_page_is_read():
    assert re.findall(rf"^- \*\*({ID})\*\*", TEXT, re.MULTILINE) == [rule.id for rule in RULES]
    assert len(re.findall(r"^- \*\*[A-Z]+-\d+\*\* ·", TEXT, re.MULTILINE)) == len(RULES)


def test_every_id_is_unique():
    assert [one for one, times in Counter(rule.id for rule in RULES).items() if times > 1] == []


@pytest.mark.parametrize(("kind", "last"), REFERENCE.items())
def test_every_rule_of_the_reference_implementation_appears_and_numbers_have_no_gap(kind, last):
    numbers = sorted(int(one.partition("-")[2]) for one in IDS if one.startswith(f"{kind}-"))
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= last


def test_a_rule_is_new_exactly_when_the_reference_implementation_has_none():
    for rule in RULES:
        kind, _, number = rule.id.partition("-")
        if kind in REFERENCE:
            assert (rule.standing == "new") is (int(number) > REFERENCE[kind]), rule.id


def test_only_what_is_no_part_of_the_contract_stands_elsewhere():
    for rule in RULES:
        assert rule.standing != "elsewhere" or rule.section == "What stands elsewhere"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_in_force_has_a_test_and_every_test_it_names_exists(rule):
    assert rule.proofs or rule.standing in ("not applicable", "elsewhere")
    for file, name in rule.proofs:
        assert (ROOT / file).exists(), file
        assert name in functions_of(file), f"{file}::{name}"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_another_one_refers_to_exists(rule):
    assert set(re.findall(rf"\b{ID}", rule.text)) <= IDS


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_every_id_in_the_name_of_a_test_is_in_the_contract(path):
    file = str(path.relative_to(ROOT))
    unknown = [name for name in functions_of(file) if not set(ids_in(name)) <= IDS]
    assert unknown == []


@pytest.mark.parametrize("kind", [*EVENTS, *COMPATIBLE, *BETA_NAMES])
def test_every_row_of_the_event_table_is_on_its_page(kind):
    assert f"| `{kind}` |" in (ROOT / "docs/reference/events.md").read_text(encoding="utf-8")


def test_every_section_that_integrators_need_has_rules():
    sections = dict.fromkeys(rule.section for rule in RULES)
    assert list(sections) == [
        "What the vendor requires",
        "Constants",
        "Connection",
        "Settings",
        "Text turns",
        "Microphone",
        "Speech events",
        "Output",
        "Function calls",
        "Client messages",
        "Upstream events",
        "Errors",
        "Closing",
        "The command line's client",
        "Defects of the reference implementation",
        "What stands elsewhere",
    ]
