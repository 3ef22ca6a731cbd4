"""The bundled drills, and drills from a file."""

from __future__ import annotations

from pathlib import Path

from drills.scenario.model import GUIDES, SCENARIOS, Scenario, ScenarioError, read


def ids() -> list[str]:
    """Every drill of a failure story, sorted."""
    return sorted(p.stem for p in SCENARIOS.glob("*.yaml"))


def guide_ids() -> list[str]:
    """Every small drill of a guide, sorted."""
    return sorted(p.stem for p in GUIDES.glob("*.yaml"))


def load(id_or_path: str) -> Scenario:
    """A drill by id, or from a path to a YAML file. Raises ScenarioError."""
    path = Path(id_or_path)
    if path.suffix in {".yaml", ".yml"}:
        return read(path)
    for folder in (SCENARIOS, GUIDES):
        known = folder / f"{id_or_path}.yaml"
        if known.is_file():
            return read(known)
    raise ScenarioError(f"no drill {id_or_path!r}; run `stanch drill --list` for the ids")


def describe(names: list[str]) -> list[dict[str, str]]:
    """Rows for `stanch drill --list`: id, title, story (file), description. The title does not
    reveal the answer."""
    return [
        {
            "id": scenario.id,
            "title": scenario.title,
            "story": str(scenario.story.get("file", "")),
            "description": " ".join(scenario.description.split()),
        }
        for scenario in map(load, names)
    ]
