"""Folders of Markdown to a Library of runbooks. A broken file is named with its line and does not
stop the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from runbooks.model import Problem, Runbook
from runbooks.parse import parse

OWN = Path(__file__).parent / "library"
FILE_LIMIT = 1_000_000
"""Bytes of one file, and FILES files of one folder: what is larger is named and left out."""
FILES = 2_000


class _Loaded(msgspec.Struct, frozen=True):
    stamp: tuple[int, int]
    digest: str
    runbook: Runbook | None
    problems: tuple[Problem, ...]


class Library:
    """The runbooks of several folders. A later folder's runbook replaces an earlier one with the
    same id, so that a team can overrule ours.

    `later`: the bodies of `own`, which were linted before they were shipped, are parsed when they
    are first looked at.
    `generation` grows whenever `refresh` found a change; matchers and screens compare it.
    """

    def __init__(
        self, folders: Sequence[Path] = (), *, own: Path | None = OWN, later: bool = False
    ) -> None:
        self.folders: tuple[Path, ...] = tuple(
            ([own] if own else []) + [Path(folder).expanduser() for folder in folders]
        )
        self._own = own
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
        """What is wrong with the files, in the order of the folders."""
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
            origin = "stanch" if folder == self._own else str(folder)
            for path in _markdown(folder, problems, required=folder != self._own):
                loaded = self._load(path, origin, problems)
                if loaded is None:
                    continue
                files[path] = loaded
                problems.extend(loaded.problems)
                if loaded.runbook is None:
                    continue
                _add(loaded.runbook, by_id, problems)
        changed = tuple(problems) != self._problems or _digests(by_id) != _digests(self._by_id)
        self._files, self._by_id, self._problems = files, by_id, tuple(problems)
        self.generation += changed
        return changed

    def _load(self, path: Path, origin: str, problems: list[Problem]) -> _Loaded | None:
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            known = self._files.get(path)
            if known and known.stamp == stamp:
                return known
            if status.st_size > FILE_LIMIT:
                problems.append(Problem(path, 1, f"is larger than {FILE_LIMIT:,} bytes; split it"))
                return None
            data = path.read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            if known and known.digest == digest:
                return _Loaded(stamp, digest, known.runbook, known.problems)
            runbook, found = parse(
                data.decode("utf-8"), path, origin, later=self._later and origin == "stanch"
            )
            return _Loaded(stamp, digest, runbook, found)
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
            problems.append(Problem(path, line, "is not UTF-8; save it as UTF-8"))
        except OSError as error:
            problems.append(
                Problem(
                    path, 1, f"cannot be read: {error.strerror or error}; check its permissions"
                )
            )
        return None


def _markdown(folder: Path, problems: list[Problem], *, required: bool) -> Iterable[Path]:
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        if required:
            problems.append(Problem(folder, 1, "is not a folder; give a folder of Markdown files"))
        return []
    found = sorted(
        path
        for path in folder.rglob("*.md")
        if not path.name.startswith((".", "_")) and path.name.lower() != "readme.md"
    )
    if len(found) > FILES:
        problems.append(
            Problem(
                folder, 1, f"holds {len(found):,} Markdown files; only the first {FILES:,} are read"
            )
        )
    return found[:FILES]


def _add(runbook: Runbook, by_id: dict[str, Runbook], problems: list[Problem]) -> None:
    other = by_id.get(runbook.id)
    if other is not None and other.origin == runbook.origin:
        problems.append(
            Problem(
                runbook.path,
                runbook.lines.get("id", 1),
                f"has the id {runbook.id!r}, as {other.path.name} has; choose another",
            )
        )
        return
    by_id[runbook.id] = runbook


def _digests(by_id: Mapping[str, Runbook]) -> dict[str, str]:
    return {key: runbook.digest for key, runbook in by_id.items()}


def folders(
    given: Sequence[str | Path] = (), config: Sequence[str | Path] = (), *, home: Path
) -> tuple[Path, ...]:
    """The team's folders in rising precedence: the user's own (only where it exists), those of the
    config file, those of `--runbooks`."""
    mine = home / ".config" / "stanch" / "runbooks"
    return (
        *([mine] if mine.is_dir() else []),
        *(Path(item).expanduser() for item in (*config, *given)),
    )
