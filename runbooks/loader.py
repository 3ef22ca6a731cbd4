"""Loads folders of Markdown as a Library of runbooks. A broken file is reported with its line and
does not stop the rest."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
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


class _Loaded(msgspec.Struct, frozen=True):
    stamp: tuple[tuple[int, int], ...]
    """Modification time (ns) and size (bytes) of the page and of its words file."""
    digest: str
    """SHA-256 of both texts."""
    runbook: Runbook | None
    problems: tuple[Problem, ...]


class Library:
    """The runbooks of several folders, by id.

    The page of a later folder has the id when an earlier one has it too. The earlier page of a team
    stays, as `FOLDER/id`; one of ours is replaced, so that a team can overrule it.
    `later`: bodies of shipped runbooks, which were linted before, are parsed at first use.
    `generation` grows whenever `refresh` found a change; matchers and screens compare it.
    """

    def __init__(
        self, folders: Sequence[Path] = (), *, own: Sequence[Path] = OWN, later: bool = False
    ) -> None:
        self.folders: tuple[Path, ...] = (*own, *(Path(folder).expanduser() for folder in folders))
        self._own = frozenset(own)
        self._later = later
        self._files: dict[Path, _Loaded] = {}
        self._by_id: dict[str, Runbook] = {}
        self._problems: tuple[Problem, ...] = ()
        self.generation = 0
        self.refresh()

    @property
    def runbooks(self) -> tuple[Runbook, ...]:
        """All runbooks, ordered by id."""
        return tuple(self._by_id[key] for key in sorted(self._by_id))

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Problems of the files, in the order of the folders."""
        return self._problems

    def get(self, runbook_id: str) -> Runbook | None:
        return self._by_id.get(runbook_id)

    def __len__(self) -> int:
        return len(self._by_id)

    def refresh(self) -> bool:
        """Read what changed (by modification time and size, then by hash). True when any runbook or
        problem changed."""
        files: dict[Path, _Loaded] = {}
        problems: list[Problem] = []
        by_id: dict[str, Runbook] = {}
        for folder in self.folders:
            ours = folder in self._own
            for path in _markdown(folder, problems, required=not ours):
                loaded = self._load(path, OURS if ours else str(folder), problems)
                if loaded is None:
                    continue
                files[path] = loaded
                problems.extend(loaded.problems)
                if loaded.runbook is not None:
                    _add(loaded.runbook, by_id, problems)
        changed = tuple(problems) != self._problems or _digests(files) != _digests(self._files)
        self._files, self._by_id, self._problems = files, by_id, tuple(problems)
        self.generation += changed
        return changed

    def _load(self, path: Path, origin: str, problems: list[Problem]) -> _Loaded | None:
        words_path = path.with_name(f"{path.stem}.words.yaml")
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
        digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()
        if known and known.digest == digest:
            return replace(known, stamp=stamp)
        later = self._later and origin == OURS
        words = texts[1] if len(texts) > 1 else ""
        runbook, found = parse(texts[0], path, origin, words=words, later=later)
        if words and not later:
            found += read_words(words, words_path)[1]
        return _Loaded(stamp, digest, runbook, found)


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


def _add(runbook: Runbook, by_id: dict[str, Runbook], problems: list[Problem]) -> None:
    other = by_id.get(runbook.id)
    same_place = other is not None and (
        other.path.parent == runbook.path.parent or other.origin == runbook.origin == OURS
    )
    if other is not None and same_place:
        said = f"has the id {runbook.id!r}, as {other.path.name} has; choose another"
        problems.append(Problem(runbook.path, runbook.lines.get("id", 1), said))
        return
    by_id[runbook.id] = runbook
    if other is not None and other.origin != OURS:
        name = _qualified(other, by_id)
        by_id[name] = replace(other, id=name)


def _qualified(runbook: Runbook, by_id: Iterable[str]) -> str:
    """The id behind as many folders of its path as tell it apart."""
    folders = runbook.path.absolute().parent.parts
    for count in range(1, len(folders)):
        name = "/".join((*folders[-count:], runbook.id))
        if name not in by_id:
            return name
    return f"{runbook.path.parent}/{runbook.id}"


def _digests(files: dict[Path, _Loaded]) -> dict[Path, str]:
    return {path: loaded.digest for path, loaded in files.items()}
