"""The list of mutants cannot rot, and a handful of them is noticed."""

from __future__ import annotations

from collections import Counter

import pytest
from contract_mutants import PAGE, RESULTS, ROOT, RULES, difference, main, pick
from contract_page import rules
from mutant_list import CORE, POOL

ALL = [*CORE, *POOL]


@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: mutant.rule)
def test_a_mutant_changes_one_place_of_a_rule_that_has_proofs(mutant):
    sound = (ROOT / mutant.file).read_text(encoding="utf-8")
    assert sound.count(mutant.old) == 1
    assert mutant.old != mutant.new
    assert RULES[mutant.rule].proofs
    compile(sound.replace(mutant.old, mutant.new), mutant.file, "exec")  # else all would notice it


def test_no_rule_is_broken_twice_in_the_same_place():
    assert [one for one, times in Counter((m.file, m.old) for m in ALL).items() if times > 1] == []


def test_the_core_breaks_a_rule_in_each_section_of_the_contract():
    sections = {rule.section for rule in rules(PAGE.read_text(encoding="utf-8"))}
    assert {RULES[mutant.rule].section for mutant in CORE} == sections


def test_half_of_a_run_is_picked_by_its_seed():
    run = pick(1, None)
    assert run[: len(CORE)] == list(CORE)
    assert len(run) == 2 * len(CORE) == len(set(run))
    assert pick(1, None) == run != pick(2, None)
    assert set(pick(1, 6)) < set(run)


def test_every_mutant_is_on_the_page_and_none_lives():
    page = RESULTS.read_text(encoding="utf-8")
    assert page.count("**nobody**") == 0
    for title, mutants in (("Core", CORE), ("Pool", POOL)):
        table = page.partition(f"## {title}\n")[2].partition("\n## ")[0]
        rows = [
            row.split(" | ")[:2] for row in table.splitlines() if "::" in row or "`test_" in row
        ]
        assert rows == [[f"| {m.rule}", f"`{m.file}`"] for m in mutants]


def test_what_a_mutant_changes_is_shown_in_whole_words():
    [mutant] = [one for one in CORE if one.rule == "K-4"]
    assert difference(mutant) == ("1.0", "0.5") or difference(mutant) == ("1", "0")
    [mutant] = [one for one in CORE if one.rule == "ERR-10"]
    assert difference(mutant) == ('"insufficient_quota",', "")


@pytest.mark.deep
def test_a_handful_of_mutants_is_noticed(capsys):
    assert main(["--seed", "1", "--count", "8"]) == 0
    assert "8 of 8 mutants were noticed" in capsys.readouterr().out
