"""A drill as data: what happens, and the answer that is never served."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent.parent
SCENARIOS = HERE / "scenarios"
BACKGROUNDS = HERE / "backgrounds"


class ScenarioError(Exception):
    """A scenario file that cannot be played: the message names the file or id and what is wrong."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Ground truth of a drill. Times are durations before the start (`-22m`); None where the API
    shows nothing.

    shared: what the failing things share, as {what, value}; silent: True when the API holds no
    trace of the fault."""

    runbook: str
    first_symptom: str = ""
    since: str | None = None
    shared: tuple[dict[str, Any], ...] = ()
    decoys: tuple[str, ...] = ()
    silent: bool = False
    words: tuple[str, ...] = ()
    debrief: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One drill. `data` holds the sections that `drills.scenario.expand` reads; `seed` varies generated
    names."""

    id: str
    title: str
    story: dict[str, Any]
    description: str
    answer: Answer
    data: dict[str, Any]
    seed: int = 0


def parse(raw: dict[str, Any], where: str) -> Scenario:
    """Raises ScenarioError."""
    try:
        answer = dict(raw["answer"])
        for word in ("shared", "decoys", "words"):
            answer[word] = tuple(answer.get(word, ()))
        return Scenario(
            id=str(raw["id"]),
            title=str(raw["title"]),
            story=dict(raw["story"]),
            description=str(raw["description"]).strip(),
            answer=Answer(**answer),
            data=raw,
            seed=int(raw.get("seed", 0)),
        )
    except KeyError as error:
        raise ScenarioError(f"{where}: field {error} is missing") from error
    except TypeError as error:
        raise ScenarioError(f"{where}: {error}") from error


def read(path: Path) -> Scenario:
    """Raises ScenarioError when the file is absent, is not YAML or lacks a field."""
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506  # a safe loader
    except OSError as error:
        raise ScenarioError(
            f"{path}: {error.strerror}; run `stanch drill --list` for the ids"
        ) from error
    except yaml.YAMLError as error:
        raise ScenarioError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(raw, dict):
        raise ScenarioError(f"{path}: a scenario is a mapping")
    return parse(raw, str(path))


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def _background(name: str) -> dict[str, Any]:
    path = BACKGROUNDS / f"{name}.yaml"
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506  # the same
    except OSError as error:
        raise ScenarioError(f"background {name!r}: {error.strerror}") from error
    assert isinstance(data, dict)
    return data


def with_decoys(data: dict[str, Any]) -> dict[str, Any]:
    """The sections of a scenario with those of its decoys in front. Raises ScenarioError for an
    unknown decoy."""
    out = dict(data)
    known = _background("decoys")
    for name in data.get("decoys", []):
        if name not in known:
            raise ScenarioError(f"decoy {name!r} is not one of {', '.join(known)}")
        for section, rows in known[name].items():
            out[section] = [*rows, *out.get(section, [])]
    return out


def load_background(name: str | dict[str, Any] | None) -> dict[str, Any]:
    """A background by name, with `without` (workload names to leave out), `nodes` and `workloads`
    (fields to change, by name); empty for None. Raises ScenarioError for a name that the background
    does not have."""
    if name is None or name == "none":
        return {}
    if isinstance(name, str):
        return _background(name)
    base = dict(_background(str(name.get("preset", "standard"))))
    dropped = set(name.get("without", []))
    for section in ("nodes", "workloads"):
        rows = [r for r in base[section] if section == "nodes" or r["name"] not in dropped]
        changes: dict[str, Any] = name.get(section, {})
        unknown = set(changes) - {r["name"] for r in rows}
        if unknown:
            raise ScenarioError(f"background: no {section} named {', '.join(sorted(unknown))}")
        base[section] = [{**r, **changes.get(r["name"], {})} for r in rows]
    return base
