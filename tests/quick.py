"""`make quick`: lint, types, contracts and pure tests of what changed, in under 20 seconds.

Changed means: differs from HEAD, or is not tracked yet; with nothing changed, the last commit.
A test file is pure when it starts no server, no process and no screen, told by what it imports and
by its fixtures; where no pure one reaches the change, those with a screen run. Tests that reach a
changed module over the fewest imports run first. They stop when their share of the time is used up,
and the output says how many did not run. Types are checked in the whole project from mypy's cache,
beside the tests: 1 to 8 s once it is filled, 55 s the first time.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SECONDS = 7.0
"""CPU seconds of tests at most, so that the whole stays under 20 on an idle machine."""
MOST_FILES = 40
"""Test files at most: collecting 65 takes 9 s of CPU."""
COLLECTORS = {
    "actions.changes": "actions.catalogue",
    "probes.questions": "probes.catalogue",
    "triage.detectors": "triage.detectors.registry",
    "tui.screens": "tui.app",
}
"""Packages whose modules nothing imports by name, and the module that imports them all."""
SCREEN = "run_test"
IMPURE = frozenset(
    [
        "drill_cluster",
        "control_plane",
        "nodes_lab",
        "workloads",
        "rung",
        "subprocess",
        "hypothesis",
        "pty",
        "aiohttp",
        SCREEN,
        "drills",
        "investigating",
        "serving",
    ]
)
"""Names that only a test with a server, a process, a screen or many examples uses."""


def changed() -> list[str]:
    """Paths of changed Python files, relative to the root."""
    found = _git("diff", "--name-only", "HEAD") + _git("ls-files", "--others", "--exclude-standard")
    if not found:
        found = _git("diff", "--name-only", "HEAD~1")
    return sorted({path for path in found if path.endswith(".py") and (ROOT / path).exists()})


def names_of(source: str) -> set[str | None]:
    """Parameters, variables and attributes of a module."""
    return {
        getattr(node, "arg", None) or getattr(node, "id", None) or getattr(node, "attr", None)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.arg | ast.Name | ast.Attribute)
    }


@cache
def imports_of(source: str) -> set[str]:
    """Dotted names that a module imports, each also with the names taken from it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
    return found


def is_pure(module: str, sources: Mapping[str, str], impure: frozenset[str] = IMPURE) -> bool:
    """Whether a test module, its helpers included, uses none of the `impure` names."""
    seen, waiting = {module}, [module]
    while waiting:
        source = sources[waiting.pop()]
        imports = imports_of(source)
        roots = {name.partition(".")[0] for name in imports}
        if impure & roots or impure & set(re.findall(r"\w+", source)) & names_of(source):
            return False
        helpers = {name for name in imports if name.startswith("tests.") and name in sources}
        waiting += helpers - seen
        seen |= helpers
    return True


def distances(starts: Iterable[str], imported_by: Mapping[str, set[str]]) -> dict[str, int]:
    """Modules that reach one of `starts` by imports, with the least number of imports between."""
    found = dict.fromkeys(starts, 0)
    waiting = deque(found)
    while waiting:
        module = waiting.popleft()
        for user in imported_by.get(module, ()):
            if user not in found:
                found[user] = found[module] + 1
                waiting.append(user)
    return found


def tests_for(paths: Iterable[str]) -> list[str]:
    """Pure test files that reach the changed files, the nearest first; those with a screen where
    there is none."""
    places = {
        _module(path): path
        for path in _git("ls-files", "--cached", "--others", "--exclude-standard", "*.py")
        if (ROOT / path).exists()
    }
    sources = {module: (ROOT / path).read_text(encoding="utf-8") for module, path in places.items()}
    imported_by: dict[str, set[str]] = {}
    for module, source in sources.items():
        for name in imports_of(source):
            if name in sources:
                imported_by.setdefault(name, set()).add(module)
    for package, collector in COLLECTORS.items():
        for module in sources:
            if module.startswith(f"{package}.") and module != collector:
                imported_by.setdefault(module, set()).add(collector)
    reached = distances((_module(path) for path in paths), imported_by)
    near = sorted(
        (distance, module)
        for module, distance in reached.items()
        if module in places and Path(places[module]).name.startswith("test_")
    )
    for impure in (IMPURE, IMPURE - {SCREEN}):
        if found := [places[module] for _, module in near if is_pure(module, sources, impure)]:
            return found
    return []


def main() -> int:
    paths = changed()
    if not paths:
        print("no Python file changed")
        return 0
    steps = [
        ("ruff", ["ruff", "check", "--quiet", *paths]),
        ("format", ["ruff", "format", "--quiet", "--check", *paths]),
        ("contracts", ["lint-imports"]),
        ("types", ["mypy"]),
    ]
    running = [(name, _start(command)) for name, command in steps]
    tests = tests_for(paths)
    beyond = f", the nearest {MOST_FILES} run" if len(tests) > MOST_FILES else ""
    print(f"{len(paths)} changed files, {len(tests)} test files reach them{beyond}", flush=True)
    budget = Budget(SECONDS)
    code = pytest.main(["-q", "--no-header", *tests[:MOST_FILES]], plugins=[budget]) if tests else 0
    failed = ["tests"] if budget.failed or (code not in (0, 5) and not budget.left) else []
    if budget.left:
        print(f"not run, the time was up: {budget.left} tests; `make test` runs all")
    for name, process in running:
        told, _ = process.communicate()
        print(f"{name}: {'FAILED' if process.returncode else 'ok'}")
        if process.returncode:
            failed.append(name)
            print(told[-8000:])
    return 1 if failed else 0


def _start(command: Sequence[str]) -> subprocess.Popen[str]:
    """A check that runs beside the tests."""
    return subprocess.Popen(
        [str(Path(sys.executable).parent / command[0]), *command[1:]],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


class Budget:
    """A pytest plugin that ends the session when the tests have used their CPU time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began = time.process_time()
        self._done = 0
        self._all = 0
        self.failed = False

    @property
    def left(self) -> int:
        """Tests that did not run."""
        return self._all - self._done

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._all = len(session.items)
        self._began = time.process_time()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failed = self.failed or report.failed

    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        self._done += 1
        if time.process_time() - self._began > self._seconds and self.left:
            item.session.shouldstop = "the time is up"


def _module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _git(*arguments: str) -> list[str]:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()


if __name__ == "__main__":
    sys.exit(main())
