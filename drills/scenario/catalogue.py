"""The drills that come with the product, and drills from a file."""

from __future__ import annotations

from pathlib import Path

from drills.scenario.model import SCENARIOS, Scenario, ScenarioError, read


def ids() -> list[str]:
    """Every drill that is there, sorted."""
    return sorted(p.stem for p in SCENARIOS.glob("*.yaml"))


def load(id_or_path: str) -> Scenario:
    """A drill by id, or from a path to a YAML file. Raises ScenarioError."""
    path = Path(id_or_path)
    if path.suffix in {".yaml", ".yml"}:
        return read(path)
    known = SCENARIOS / f"{id_or_path}.yaml"
    if not known.is_file():
        raise ScenarioError(f"no drill {id_or_path!r}; run `stanch drill --list` for the ids")
    return read(known)


def describe() -> list[dict[str, str]]:
    """Rows for `stanch drill --list`: id, title, story (file), description. The title tells no
    answer away."""
    return [
        {
            "id": scenario.id,
            "title": scenario.title,
            "story": str(scenario.story.get("file", "")),
            "description": " ".join(scenario.description.split()),
        }
        for scenario in map(load, ids())
    ]
