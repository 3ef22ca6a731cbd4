"""The layout of the repository: no circle of imports, types included; no folder with more than 20
files; each folder says what lives there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = (
    "actions",
    "cli",
    "cluster",
    "drills",
    "incident",
    "probes",
    "runbooks",
    "text",
    "timeline",
    "triage",
    "tui",
)
MOST_FILES = 20


def modules() -> Mapping[str, Path]:
    """Every module of the product by its dotted name."""
    found = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    """The modules of the product that a file imports anywhere: at the top, in a function, for
    types."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module in known:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in known else node.module for name in inner)


def circles(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """Groups of modules that import each other (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(graph[name]):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            group = set(stack[stack.index(name) :])
            del stack[stack.index(name) :]
            if len(group) > 1 or name in graph[name]:
                found.append(group)

    for name in sorted(graph):
        if name not in index:
            visit(name)
    return found


def test_no_circle_of_imports_also_not_among_types() -> None:
    known = modules()
    graph = {name: set(imported(path, known)) - {name} for name, path in known.items()}
    assert graph["cli.main"], "the graph is read from the sources"
    assert [sorted(group) for group in circles(graph)] == []


def test_a_circle_is_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}
    assert circles(graph) == [{"a", "b", "c"}]


def test_no_folder_has_more_files_than_a_reader_can_oversee() -> None:
    count = {
        folder: sum(1 for _ in folder.glob("*.py"))
        for name in (*FOLDERS, "bench", "tests")
        for folder in (ROOT / name, *(ROOT / name).rglob("*/"))
    }
    assert {
        str(folder.relative_to(ROOT)): files
        for folder, files in count.items()
        if files > MOST_FILES
    } == {}


def test_every_folder_says_what_lives_there() -> None:
    silent = [
        name
        for name, path in modules().items()
        if path.name == "__init__.py" and not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert silent == []


_IGNORED = re.compile(r"#\s*(?:noqa|type:\s*ignore)\b(.*)")
_WITH_REASON = re.compile(r"(?::\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*|\[[a-z,-]+\])  # \S")


def test_what_is_not_checked_names_its_rule_and_its_reason() -> None:
    bare = [
        f"{path.relative_to(ROOT)}:{number}"
        for name in (*FOLDERS, "bench", "tests")
        for path in sorted((ROOT / name).rglob("*.py"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if (found := _IGNORED.search(line)) and not _WITH_REASON.match(found[1])
    ]
    assert bare == []
