"""Runs tests that failed once more, alone, where chance may have had a part.

Tests share two cores with each other and with whatever else the machine does. Real kubelets, servers,
processes and screens are then sometimes slower than a test's patience, and one of 8,600 tests that
fails for that must not refuse all others. No mistake may pass for chance, so:

- Only a test whose outcome can depend on the machine is tried again. What only computes, and what
  draws random examples, has failed.
- Where more than `MOST` tests failed beside those on real nodes, it is no chance: none is tried.
- What an earlier test of the same file left behind must show again: first the whole unit runs
  (`tests.schedule`), then the test alone, `ALONE` times. All of that must pass.

The output of the first run has each failure in full. A test that passes now is named as FLAKY: it is
a fault of the test or of the product all the same.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.quick import IMPURE, imports_of, is_pure
from tests.schedule import on_nodes, unit

ROOT = Path(__file__).parents[1]
FAILED = ROOT / ".pytest_cache" / "v" / "cache" / "lastfailed"
MOST = 3
ALONE = 2
RANDOM = frozenset({"hypothesis"})
WAITS = frozenset({"asyncio", "threading", "time"})
"""Modules of tests that wait for the clock or for another thread."""
Run = Callable[[Sequence[str]], bool]
"""Runs pytest with these arguments; whether all passed."""


def depends_on_the_machine(nodeid: str, sources: Mapping[str, str]) -> bool:
    """Whether chance can have a part in a failure. `sources`: the modules of the tests by name."""
    module = nodeid.partition("::")[0].removesuffix(".py").replace("/", ".")
    if "::" not in nodeid or module not in sources or not is_pure(module, sources, RANDOM):
        return False
    waits = WAITS & imports_of(sources[module])
    return bool(waits) or not is_pure(module, sources, IMPURE)


def plan(failed: Sequence[str], sources: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The failed tests that are tried again, and those that have failed for good."""
    nodes = [test for test in failed if on_nodes(test)]
    others = [test for test in failed if not on_nodes(test)]
    chance = [test for test in others if depends_on_the_machine(test, sources)]
    again = chance if len(others) <= MOST else []
    return [*nodes, *again], [test for test in others if test not in again]


def runs(tests: Sequence[str]) -> list[list[str]]:
    """The runs that all must pass: of tests on real nodes one, of others those in the text above."""
    nodes = [test for test in tests if on_nodes(test)]
    others = [test for test in tests if not on_nodes(test)]
    files = dict.fromkeys(unit(test) for test in others if unit(test) == test.partition("::")[0])
    return [
        *([nodes] if nodes else []),
        *([file] for file in files),
        *([test] for test in others for _ in range(ALONE)),
    ]


def decide(failed: Sequence[str], sources: Mapping[str, str], run: Run) -> tuple[int, list[str]]:
    """The exit code, and the tests that failed by chance."""
    again, lost = plan(failed, sources)
    for test in lost:
        print(f"::: failed, not tried again: {test}", flush=True)
    for test in again:
        print(f"::: failed, its output stands above; tried again, alone: {test}", flush=True)
    if not again or not all(run(arguments) for arguments in runs(again)):
        return 1, []
    for test in again:
        print(f"::: FLAKY: failed beside all others, passed alone: {test}", flush=True)
    return int(bool(lost)), again


def main() -> int:
    """With a path as its argument, the flaky tests are also written there."""
    failed = sorted(json.loads(FAILED.read_text(encoding="utf-8"))) if FAILED.exists() else []
    paths = (ROOT / "tests").rglob("*.py")
    sources = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path.read_text(encoding="utf-8")
        for path in paths
    }
    code, flaky = decide(failed, sources, _pytest)
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text("".join(f"{test}\n" for test in flaky), encoding="utf-8")
    return code


def _pytest(arguments: Sequence[str]) -> bool:
    command = [sys.executable, "-m", "pytest", "--verbose", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=ROOT, env=os.environ, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
