"""Break the contract's rules one by one and see its tests notice.

``python tests/contract_mutants.py [--seed N]``: the core list and, picked by the seed, as many
again from the pool. Each change is made in a copy of the tree, where the tests docs/contract.md
names for the rule run until one fails. A mutant that lives is a rule nobody proves: status 1.

``--write`` runs them all and writes the result to docs/explanation/mutants.md.
"""

from __future__ import annotations

import argparse
import itertools
import os
import queue
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from contract_page import PAGE, ROOT, Proof, rules
from mutant_list import CORE, POOL, Mutant

RESULTS = ROOT / "docs" / "explanation" / "mutants.md"

TREE = ("voiceproxy", "plugins", "tests", "setup.cfg", "pyproject.toml")
"""What the tests need of it."""

SECONDS = 120.0
"""For the tests of one mutant; one that hangs them has been noticed."""

RULES = {rule.id: rule for rule in rules(PAGE.read_text(encoding="utf-8"))}


class Result(NamedTuple):
    """What became of one mutant."""

    mutant: Mutant
    noticed_by: str
    """The test that failed; ``""``: it lives."""
    problem: str = ""
    """Why it is neither: the tests could not be run."""


class Copy:
    """A copy of the tree that one mutant at a time lives in."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._time = itertools.count(1)
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        for name in TREE:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, place / name, ignore=ignored)
            else:
                shutil.copy(source, place / name)

    def check(self) -> None:
        """Fail when Python would import another tree than this one."""
        code = "import voiceproxy, voiceproxy_openai as o; print(voiceproxy.__file__, o.__file__)"
        found = self._run([sys.executable, "-c", code]).stdout.split()
        if not all(Path(file).is_relative_to(self._place.resolve()) for file in found):
            raise SystemExit(f"the tests would not run against the copy but against {found}")

    def test(self, proofs: Iterable[Proof]) -> subprocess.CompletedProcess[str]:
        """Run these tests until one fails. Raises subprocess.TimeoutExpired."""
        names = [f"{file}::{name}" for file, name in proofs]
        flags = ["-x", "-q", "--tb=no", "-p", "no:cacheprovider", "-m", "not deep"]
        return self._run([sys.executable, "-m", "pytest", *flags, *names])

    def _run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        paths = os.pathsep.join([str(self._place), str(self._place / "plugins")])
        return subprocess.run(
            command,
            cwd=self._place,
            env={**os.environ, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    @contextmanager
    def broken_by(self, mutant: Mutant) -> Iterator[None]:
        """The tree with the mutant in it."""
        path = self._place / mutant.file
        sound = path.read_text(encoding="utf-8")
        if sound.count(mutant.old) != 1:
            raise SystemExit(f"{mutant.rule}: {mutant.old!r} is not in {mutant.file} exactly once")
        try:
            self._write(path, sound.replace(mutant.old, mutant.new))
            yield
        finally:
            self._write(path, sound)

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text, encoding="utf-8")
        # Compiled modules are told apart by size and whole seconds.
        moment = time.time() + 2 * next(self._time)
        os.utime(path, (moment, moment))


def proofs_of(mutants: Iterable[Mutant]) -> list[Proof]:
    """The tests that have to notice: those without sockets and processes, where there are any."""
    chosen: set[Proof] = set()
    for mutant in mutants:
        proofs = RULES[mutant.rule].proofs
        quick = [proof for proof in proofs if not re.search("integration|process", proof.file)]
        chosen.update(quick or proofs)
    return sorted(chosen)


def judge(copy: Copy, mutant: Mutant) -> Result:
    """Run the tests of the mutant's rule with the mutant in place."""
    with copy.broken_by(mutant):
        try:
            done = copy.test(proofs_of([mutant]))
        except subprocess.TimeoutExpired:
            return Result(mutant, "a test that did not end")
    if done.returncode == 0:
        return Result(mutant, "")
    failed = re.search(r"^(?:FAILED|ERROR) (\S+?::\w+)", done.stdout, re.MULTILINE)
    if done.returncode == 1 and failed:
        return Result(mutant, failed[1])
    return Result(mutant, "", problem=(done.stdout + done.stderr)[-2000:])


def judge_all(mutants: Sequence[Mutant], jobs: int) -> list[Result]:
    """Every mutant, in ``jobs`` copies at a time."""
    with tempfile.TemporaryDirectory(prefix="voiceproxy-mutants-") as place:
        copies: queue.SimpleQueue[Copy] = queue.SimpleQueue()
        for number in range(jobs):
            copy = Copy(Path(place) / str(number))
            copy.check()
            copies.put(copy)
        _check_sound(copy, mutants)

        def in_turn(mutant: Mutant) -> Result:
            copy = copies.get()
            try:
                result = judge(copy, mutant)
            finally:
                copies.put(copy)
            print(_line(result), flush=True)
            return result

        with ThreadPoolExecutor(jobs) as workers:
            return list(workers.map(in_turn, mutants))


def _check_sound(copy: Copy, mutants: Sequence[Mutant]) -> None:
    """A test that fails anyway notices nothing."""
    done = copy.test(proofs_of(mutants))
    if done.returncode != 0:
        raise SystemExit(f"the tests fail without any mutant:\n{done.stdout[-2000:]}")


def _line(result: Result) -> str:
    verdict = result.problem or (
        f"noticed by {result.noticed_by}" if result.noticed_by else "LIVES"
    )
    return f"{result.mutant.rule:7} {result.mutant.file}: {verdict}"


def pick(seed: int, count: int | None) -> list[Mutant]:
    """The core, and as many others by the seed; of these ``count`` when it is given."""
    chance = random.Random(seed)  # the same ones again for the same seed
    picked = [*CORE, *chance.sample(POOL, len(CORE))]
    return picked if count is None else chance.sample(picked, count)


def page(results: Sequence[Result]) -> str:
    """docs/explanation/mutants.md."""
    noticed = sum(bool(result.noticed_by) for result in results)
    return "\n".join(
        [
            "# Mutants",
            "",
            "A proof is worth what it notices. `python tests/contract_mutants.py` breaks",
            "[the contract](../contract.md) one rule at a time, each with a small change of the",
            "code, and runs the tests the contract names for that rule. They have to fail.",
            "",
            "A run takes the core list and, picked by `--seed`, as many again from the pool.",
            "Both are in `tests/mutant_list.py`. This page is written by `--write`, which runs all",
            f"of them: {noticed} of {len(results)} are noticed.",
            "",
            *_table("Core", results[: len(CORE)]),
            "",
            *_table("Pool", results[len(CORE) :]),
            "",
        ]
    )


def _table(title: str, results: Sequence[Result]) -> Iterator[str]:
    yield from (
        f"## {title}",
        "",
        "| Rule | Broken in | Change | Noticed by |",
        "|---|---|---|---|",
    )
    for mutant, noticed_by, _ in results:
        old, new = difference(mutant)
        change = f"{_code(old)} → {_code(new)}" if new else f"without {_code(old)}"
        by = f"`{noticed_by.rpartition('::')[2]}`" if noticed_by else "**nobody**"
        yield f"| {mutant.rule} | `{mutant.file}` | {change} | {by} |"


def difference(mutant: Mutant) -> tuple[str, str]:
    """What differs, in whole words."""
    old, new = (re.findall(r"\w+|\s+|[^\w\s]", text) for text in (mutant.old, mutant.new))
    while old and new and old[0] == new[0]:
        del old[0], new[0]
    while old and new and old[-1] == new[-1]:
        del old[-1], new[-1]
    return "".join(old).strip() or mutant.old, "".join(new).strip()


def _code(text: str) -> str:
    return f"`{' '.join(text.split())}`".replace("|", "\\|")


def main(arguments: Sequence[str] | None = None) -> int:
    """Status 0 when every mutant was noticed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="which of the pool are picked")
    parser.add_argument("--fixed-only", action="store_true", help="the core list alone")
    parser.add_argument("--count", type=int, help="only so many, picked by the seed")
    parser.add_argument("--jobs", type=int, default=2, help="copies at work (%(default)s)")
    parser.add_argument("--write", action="store_true", help="run all, write the docs page")
    given = parser.parse_args(arguments)
    if given.write:
        mutants = [*CORE, *POOL]
    else:
        mutants = list(CORE) if given.fixed_only else pick(given.seed, given.count)
    results = judge_all(mutants, given.jobs)
    alive = [result for result in results if not result.noticed_by]
    print(f"{len(results) - len(alive)} of {len(results)} mutants were noticed")
    if given.write:
        RESULTS.write_text(page(results), encoding="utf-8")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
