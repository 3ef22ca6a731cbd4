"""A drill as data: what happens, and the answer, which is never served."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_ROOT = Path(__file__).parent.parent
SCENARIOS = _ROOT / "scenarios"
GUIDES = SCENARIOS / "guides"
BACKGROUNDS = _ROOT / "backgrounds"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class ScenarioError(Exception):
    """A scenario file that cannot be played: the message names the file or id and what is wrong."""


@dataclass(frozen=True, slots=True)
class Told:
    """What triage has to say about a drill; tests compare.

    mechanism: rule of the symptom on which the runbook ranks. shared: {what, value} as the cohort
    says it; a value of `created after` is a duration. says: what the symptom's title or an object
    names instead, for a fault of one object or one moment. since: when it differs from the
    answer's. fallback: the runbook that takes over without the one signal that tells the two apart.
    leads: mechanism of the first symptom, when it is another one.
    """

    mechanism: str
    shared: dict[str, str] | None = None
    says: str = ""
    since: str | None = None
    fallback: str = ""
    leads: str = ""


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """Ground truth of a drill. Times are durations before the start (`-22m`); None where the API
    shows nothing.

    shared: what the failing things share, for people, as {what, value}; told: the same for triage;
    silent: True when the API holds no trace of the fault; told is then what figures of kubelets
    tell."""

    runbook: str
    told: Told | None = None
    since: str | None = None
    shared: tuple[dict[str, Any], ...] = ()
    decoys: tuple[str, ...] = ()
    silent: bool = False
    words: tuple[str, ...] = ()
    debrief: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One drill. `data` holds the sections that `expand` reads; `seed` varies generated names.

    The drill of a guide has a section `fault`, with the sections that make the fault: without it,
    the rest is a healthy cluster."""

    id: str
    title: str
    story: dict[str, Any]
    description: str
    answer: GroundTruth
    data: dict[str, Any]
    seed: int = 0

    def twin(self) -> Scenario:
        """The same cluster without the fault. Raises ScenarioError when the fault has no section of
        its own."""
        if "fault" not in self.data:
            raise ScenarioError(f"{self.id}: only a drill with a section `fault` has a twin")
        left = {k: v for k, v in self.data.items() if k not in {"fault", "script"}}
        return replace(self, answer=GroundTruth(""), data=left)


def parse(raw: dict[str, Any], where: str) -> Scenario:
    """`where` names the source in errors. A guide's drill may leave out story, description and the
    runbook of its answer. Raises ScenarioError."""
    try:
        if "fault" in raw:
            raw = {"story": {}, "description": "", "background": "small", **raw}
            raw["answer"] = {"runbook": raw["id"], **raw["answer"]}
        answer = dict(raw["answer"])
        for word in ("shared", "decoys", "words"):
            answer[word] = tuple(answer.get(word, ()))
        if "told" in answer:
            answer["told"] = Told(**answer["told"])
        return Scenario(
            id=str(raw["id"]),
            title=str(raw["title"]),
            story=dict(raw["story"]),
            description=str(raw["description"]).strip(),
            answer=GroundTruth(**answer),
            data=raw,
            seed=int(raw.get("seed", 0)),
        )
    except KeyError as error:
        raise ScenarioError(f"{where}: field {error} is missing") from error
    except TypeError as error:
        raise ScenarioError(f"{where}: {error}") from error


def _mapping(path: Path) -> dict[str, Any]:
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506  # a safe loader
    except OSError as error:
        hint = "run `stanch drill --list` for the ids"
        raise ScenarioError(f"{path}: {error.strerror}; {hint}") from error
    except yaml.YAMLError as error:
        raise ScenarioError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(data, dict):
        raise ScenarioError(f"{path}: a scenario is a mapping")
    return data


def read(path: Path) -> Scenario:
    """The drill in a file, whose name is its id where the file gives none. Raises ScenarioError
    when the file is absent, is not YAML or lacks a field."""
    return parse({"id": path.stem, **_mapping(path)}, str(path))


@cache
def _background(name: str) -> dict[str, Any]:
    return _mapping(BACKGROUNDS / f"{name}.yaml")


def sections_of(data: dict[str, Any]) -> dict[str, Any]:
    """The sections of a scenario, those of its decoys in front and those of its fault behind.
    Raises ScenarioError for an unknown decoy."""
    out, known = dict(data), _background("decoys")
    for name in data.get("decoys", []):
        if name not in known:
            raise ScenarioError(f"decoy {name!r} is not one of {', '.join(known)}")
        for section, rows in known[name].items():
            out[section] = [*rows, *out.get(section, [])]
    for section, more in out.pop("fault", {}).items():
        if isinstance(more, dict):
            out[section] = {**out.get(section, {}), **more}
        else:
            out[section] = [*out.get(section, []), *more]
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
        if unknown := set(changes) - {r["name"] for r in rows}:
            raise ScenarioError(f"background: no {section} named {', '.join(sorted(unknown))}")
        base[section] = [{**r, **changes.get(r["name"], {})} for r in rows]
    return base
