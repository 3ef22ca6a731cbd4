"""Loads folders of Markdown as a Library of runbooks. A broken file is reported with its line and
does not stop the rest."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from msgspec.structs import replace

from cluster.kube.text import clean_uncut
from runbooks.documents import read_words
from runbooks.model import Problem, Runbook
from runbooks.parse import parse

OWN = (Path(__file__).parent / "library", Path(__file__).parent / "guides")
"""The folders that are shipped: stories, and guides for everyday faults."""
OURS = "stanch"
"""`Runbook.origin` of what is shipped."""
FILE_LIMIT = 1_000_000
"""Bytes of one file; a larger one is reported and left out."""
FILES = 2_000
"""Files of one folder; further ones are left out, and that is reported."""
_Stamp = tuple[tuple[int, int], ...]
"""Modification time (ns) and size (bytes) of the page and of its words file."""


class _Page:
    """A file as it was read. A shipped one (`later`), which was linted before, is parsed when it is
    needed; its name is its id."""

    def __init__(self, path: Path, origin: str, texts: Sequence[str], *, later: bool) -> None:
        self.path, self.origin, self.later = path, origin, later
        self.text, self.words = texts[0], texts[1] if len(texts) > 1 else ""
        self.digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()
        self.stamp: _Stamp = ()

    @cached_property
    def _parsed(self) -> tuple[Runbook | None, tuple[Problem, ...]]:
        runbook, problems = parse(
            self.text, self.path, self.origin, words=self.words, later=self.later
        )
        if self.words and not self.later:
            problems += read_words(self.words, _words_path(self.path))[1]
        return runbook, problems

    @property
    def runbook(self) -> Runbook | None:
        return self._parsed[0]

    @property
    def problems(self) -> tuple[Problem, ...]:
        return () if self.later else self._parsed[1]

    @property
    def id(self) -> str:
        """ "" when nothing of the file can be used."""
        if self.later:
            return self.path.stem
        return self.runbook.id if self.runbook is not None else ""


class Library:
    """The runbooks of several folders, by id.

    The page of a later folder has the id when an earlier one has it too. The earlier page of a team
    stays, as `FOLDER/id`; one of ours is replaced, so that a team can overrule it.
    `later`: shipped runbooks are parsed when they are needed: all of them take 0.1 s of CPU.
    `generation` grows whenever `refresh` found a change; matchers and screens compare it.
    """

    def __init__(
        self, folders: Sequence[Path] = (), *, own: Sequence[Path] = OWN, later: bool = False
    ) -> None:
        self.folders: tuple[Path, ...] = (*own, *(Path(folder).expanduser() for folder in folders))
        self._own = frozenset(own)
        self._later = later
        self._files: dict[Path, _Page] = {}
        self._by_id: dict[str, _Page] = {}
        self._problems: tuple[Problem, ...] = ()
        self.generation = 0
        self.refresh()

    @property
    def runbooks(self) -> tuple[Runbook, ...]:
        """All runbooks, ordered by id."""
        found = (self.get(key) for key in sorted(self._by_id))
        return tuple(runbook for runbook in found if runbook is not None)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Problems of the files, in the order of the folders."""
        return self._problems

    def get(self, runbook_id: str) -> Runbook | None:
        page = self._by_id.get(runbook_id)
        runbook = page.runbook if page is not None else None
        if runbook is None or runbook.id == runbook_id:
            return runbook
        return replace(runbook, id=runbook_id)

    def naming(self, on: str, rule: str) -> Sequence[Runbook]:
        """The runbooks that may name a rule in a condition of kind `on` (finding, change or
        shared), ordered by id. Of shipped ones, only those that hold `ON: RULE` are parsed."""
        said = f"{on}: {rule}"
        near = (key for key, page in self._by_id.items() if not page.later or said in page.text)
        found = (self.get(key) for key in sorted(near))
        return [runbook for runbook in found if runbook is not None]

    def __len__(self) -> int:
        return len(self._by_id)

    def refresh(self) -> bool:
        """Read what changed (by modification time and size, then by hash). True when any runbook or
        problem changed."""
        files: dict[Path, _Page] = {}
        problems: list[Problem] = []
        by_id: dict[str, _Page] = {}
        for folder in self.folders:
            ours = folder in self._own
            for path in _markdown(folder, problems, required=not ours):
                page = self._load(path, OURS if ours else str(folder), problems)
                if page is None:
                    continue
                files[path] = page
                problems.extend(page.problems)
                if page.id:
                    _add(page, by_id, problems)
        changed = tuple(problems) != self._problems or _digests(files) != _digests(self._files)
        self._files, self._by_id, self._problems = files, by_id, tuple(problems)
        self.generation += changed
        return changed

    def _load(self, path: Path, origin: str, problems: list[Problem]) -> _Page | None:
        words_path = _words_path(path)
        parts = (path, words_path) if words_path.is_file() else (path,)
        texts = []
        try:
            status = [part.stat() for part in parts]
            stamp = tuple((one.st_mtime_ns, one.st_size) for one in status)
            known = self._files.get(path)
            if known and known.stamp == stamp:
                return known
            for part, one in zip(parts, status, strict=True):
                if one.st_size > FILE_LIMIT:
                    said = f"is larger than {FILE_LIMIT:,} bytes; split it"
                    problems.append(Problem(part, 1, said))
                    return None
                data = part.read_bytes()
                texts.append(clean_uncut(data.decode("utf-8")))
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
            problems.append(Problem(part, line, "is not UTF-8; save it as UTF-8"))
            return None
        except OSError as error:
            said = f"cannot be read: {error.strerror or error}; check its permissions"
            problems.append(Problem(path, 1, said))
            return None
        page = _Page(path, origin, texts, later=self._later and origin == OURS)
        if known and known.digest == page.digest:
            page = known
        page.stamp = stamp
        return page


def _words_path(path: Path) -> Path:
    return path.with_name(f"{path.stem}.words.yaml")


def _markdown(folder: Path, problems: list[Problem], *, required: bool) -> Iterable[Path]:
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        if required:
            problems.append(Problem(folder, 1, "is not a folder; give a folder of Markdown files"))
        return []
    pages = [path for path in folder.rglob("*.md") if not path.name.startswith((".", "_"))]
    inside = Counter(path.parent for path in pages)
    found = sorted(
        path
        for path in pages
        # a README tells about a folder, unless it is the page of the folder's name
        if path.name.lower() != "readme.md" or (path.parent != folder and inside[path.parent] == 1)
    )
    if len(found) > FILES:
        said = f"holds {len(found):,} Markdown files; only the first {FILES:,} are read"
        problems.append(Problem(folder, 1, said))
    return found[:FILES]


def _add(page: _Page, by_id: dict[str, _Page], problems: list[Problem]) -> None:
    other = by_id.get(page.id)
    same_place = other is not None and (
        other.path.parent == page.path.parent or other.origin == page.origin == OURS
    )
    if other is not None and same_place:
        said = f"has the id {page.id!r}, as {other.path.name} has; choose another"
        line = page.runbook.lines.get("id", 1) if page.runbook is not None else 1
        problems.append(Problem(page.path, line, said))
        return
    by_id[page.id] = page
    if other is not None and other.origin != OURS:
        by_id[_qualified(other, by_id)] = other


def _qualified(page: _Page, by_id: Iterable[str]) -> str:
    """The id behind as many folders of its path as tell it apart."""
    folders = page.path.absolute().parent.parts
    for count in range(1, len(folders)):
        name = "/".join((*folders[-count:], page.id))
        if name not in by_id:
            return name
    return f"{page.path.parent}/{page.id}"


def _digests(files: dict[Path, _Page]) -> dict[Path, str]:
    return {path: page.digest for path, page in files.items()}
