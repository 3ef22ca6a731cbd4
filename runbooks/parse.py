"""Parses one Markdown text as one Runbook. With YAML front matter that has an `id` it has steps and
conditions; otherwise it is a plain page with a title and headings."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, overload

from runbooks import fields
from runbooks.model import Problem, Runbook, Section, Step, StepKind
from runbooks.positions import YamlError, read

_KINDS = {kind.value: kind for kind in StepKind}
_TEXTS = ("story", "source", "severity", "impact", "kubernetes", "last_reviewed")
FRONT_MATTER = frozenset({"id", "title", "symptoms", "match", *_TEXTS})
_OURS_ALONE = frozenset({"story", "symptoms", "match", "kubernetes", "last_reviewed"})


_ALIASES = ("id", "alert", "alertname", "alert_name", "alerts", "aliases", "slug", "name")
"""Front matter of other tools (MkDocs, Hugo, Docusaurus, Jekyll) that names the page."""
_FOLDER = re.compile(r"(?:index|readme)(?:\.[a-z]{2}(?:-[a-z]{2})?)?", re.IGNORECASE)


def page_stem(path: Path) -> str:
    """The file's name without its ending; that of its folder for `index.md` and `README.md`."""
    return path.absolute().parent.name if _FOLDER.fullmatch(path.stem) else path.stem


def slug(title: str) -> str:
    """`Stop the bleeding` -> `stop-the-bleeding`, as code hosts write anchors."""
    return re.sub(r"[^\w]+", "-", title.lower(), flags=re.UNICODE).strip("-")


class Later(Sequence[Section]):
    """The sections of a body that is parsed at first use: ranking needs the front matter alone."""

    def __init__(self, read: Callable[[], tuple[Section, ...]]) -> None:
        self._read = read

    @cached_property
    def _sections(self) -> tuple[Section, ...]:
        return self._read()

    @overload
    def __getitem__(self, index: int) -> Section: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Section]: ...

    def __getitem__(self, index: int | slice) -> Section | Sequence[Section]:
        return self._sections[index]

    def __len__(self) -> int:
        return len(self._sections)


def parse(
    text: str, path: Path, origin: str = "", *, words: str = "", later: bool = False
) -> tuple[Runbook | None, tuple[Problem, ...]]:
    """Return the runbook (None when nothing of it can be used) and what is wrong with it. A broken
    step is left out, the rest stays.

    `words`: text of `ID.words.yaml`. `later`: the body of a shipped runbook is parsed at first use,
    and its problems are not reported.
    """
    front, body, body_line = _split(text)
    problems: list[Problem] = []
    data: Any = None
    lines: dict[tuple[str, ...], int] = {}
    if front is not None:
        try:
            data, lines = _front(front, toml=text.startswith("+++"))
        except YamlError as error:
            problems.append(Problem(path, error.line, f"front matter {error}"))
            if re.search(r"^id:", front, re.MULTILINE):
                return None, tuple(problems)
    ours = isinstance(data, dict) and _is_ours(data)
    sections: Sequence[Section]
    if later and ours and data.get("title"):
        title = ""
        sections = Later(lambda: _sections(body, body_line, path, [], executable=True)[0])
    else:
        sections, title = _sections(body, body_line, path, problems, executable=ours)
    common: dict[str, Any] = {
        "path": path,
        "digest": hashlib.sha256(text.encode()).hexdigest(),
        "sections": sections,
        "origin": origin,
        "text": text,
        "words": words,
    }
    if not ours:
        heading = str(data.get("title", "")) if isinstance(data, dict) else ""
        stem = page_stem(path)
        name = heading or title or stem.replace("-", " ").replace("_", " ")
        if not body.strip():
            return None, (*problems, Problem(path, 1, "is empty; nothing to match on"))
        return (
            Runbook(id=slug(stem), title=name, plain=True, names=_aliases(data), **common),
            tuple(problems),
        )
    known = ", ".join(sorted(FRONT_MATTER))
    for key in sorted(set(map(str, data)) - FRONT_MATTER):
        said = f"front matter has an unknown field {key!r}; known: {known}"
        problems.append(Problem(path, lines.get((key,), 1), said))
    common |= {name: str(data.get(name) or "").strip() for name in _TEXTS}
    try:
        runbook = Runbook(
            id=str(data["id"]),
            title=str(data.get("title") or title or data["id"]),
            symptoms=fields.strings(data.get("symptoms"), lines.get(("symptoms",), 1), "symptoms"),
            match=fields.conditions(data.get("match"), lines, lines.get(("match",), 1)),
            lines=MappingProxyType({key[0]: line for key, line in lines.items() if len(key) == 1}),
            **common,
        )
    except (fields.FieldError, ValueError, TypeError) as error:
        line = error.line if isinstance(error, fields.FieldError) else 1
        return None, (*problems, Problem(path, line, f"front matter: {error}"))
    return runbook, tuple(problems)


def _is_ours(data: Mapping[Any, Any]) -> bool:
    """Front matter of ours has an id, and what only ours has or nothing else."""
    return "id" in data and (not _OURS_ALONE.isdisjoint(data) or set(data) <= FRONT_MATTER)


def _front(text: str, *, toml: bool) -> tuple[Any, dict[tuple[str, ...], int]]:
    """Front matter as a mapping, and its lines. Raises YamlError."""
    if not toml:
        return read(text, 2)
    try:
        return tomllib.loads(text), {}
    except tomllib.TOMLDecodeError as error:
        raise YamlError(1, f"is not valid TOML: {error}") from error


def _aliases(data: Any) -> tuple[str, ...]:
    """The last part of each name that the front matter gives."""
    found: list[str] = []
    for key in _ALIASES if isinstance(data, dict) else ():
        value = data.get(key)
        found += [str(each) for each in (value if isinstance(value, list) else [value]) if each]
    return tuple(dict.fromkeys(name.strip("/").rpartition("/")[2] for name in found))


def _split(text: str) -> tuple[str | None, str, int]:
    """Front matter, body, and the line on which the body begins."""
    if text.startswith(("---\n", "---\r\n", "+++\n", "+++\r\n")):
        rows = text.splitlines()
        ends = ("+++",) if text.startswith("+++") else ("---", "...")
        for index in range(1, len(rows)):
            if rows[index].rstrip() in ends:
                return "\n".join(rows[1:index]) + "\n", "\n".join(rows[index + 1 :]), index + 2
    return None, text, 1


def _sections(
    body: str, first_line: int, path: Path, problems: list[Problem], *, executable: bool
) -> tuple[tuple[Section, ...], str]:
    # Imported here: the matcher's first answer does not wait for the Markdown parser.
    from markdown_it import MarkdownIt

    rows = body.splitlines()
    tokens = MarkdownIt("commonmark").parse(body)
    title = ""
    heads: list[tuple[int, str]] = []
    blocks: list[tuple[int, int, StepKind, str]] = []
    for index, token in enumerate(tokens):
        if token.type == "heading_open" and token.map and token.level == 0:
            words = tokens[index + 1].content.strip()
            if token.tag == "h1":
                title = title or words
            elif token.tag == "h2":
                heads.append((token.map[0], words))
        elif token.type == "fence" and token.map and token.info.strip() in _KINDS:
            blocks.append((token.map[0], token.map[1], _KINDS[token.info.strip()], token.content))
    sections = []
    for number, (start, name) in enumerate(heads):
        end = heads[number + 1][0] if number + 1 < len(heads) else len(rows)
        inside = [block for block in blocks if start < block[0] < end] if executable else []
        hidden = {row for first, last, _, _ in inside for row in range(first, last)}
        text = "\n".join(rows[row] for row in range(start + 1, end) if row not in hidden)
        steps = tuple(
            step
            for block in inside
            if (step := _step(block, slug(name), first_line, path, problems)) is not None
        )
        text = re.sub(r"\n{3,}", "\n\n", text).strip()
        sections.append(Section(name, slug(name), text, first_line + start, steps))
    if executable:
        covered = heads[0][0] if heads else len(rows)
        for start, _, kind, _ in blocks:
            if start < covered:
                said = f"the {kind} block stands before the first section; move it under a heading"
                problems.append(Problem(path, first_line + start, said))
    elif not heads and body.strip():
        sections.append(Section(title, slug(title), body.strip(), first_line))
    return tuple(sections), title


def _step(
    block: tuple[int, int, StepKind, str],
    section: str,
    first_line: int,
    path: Path,
    problems: list[Problem],
) -> Step | None:
    start, _, kind, content = block
    line = first_line + start
    try:
        data, lines = read(content, line + 1)
        return fields.step(kind, data, lines, section, line)
    except (YamlError, fields.FieldError) as error:
        problems.append(Problem(path, error.line, str(error)))
    except (ValueError, TypeError) as error:
        problems.append(Problem(path, line, f"the {kind} block cannot be read: {error}"))
    return None
