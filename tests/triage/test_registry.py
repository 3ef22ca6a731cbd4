"""Each rule has a detector, each detector a rule, and each kind that has detectors is known."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import triage
from cluster.kube.kinds import KINDS
from triage.detectors import registry
from triage.facts.rules.catalogue import FINDINGS

ROOT = Path(triage.__file__).parent


def made() -> Iterator[str]:
    """The rule ids that detectors give to `make`."""
    for path in sorted((ROOT / "detectors").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "make":
                rule = node.args[0]
                assert isinstance(rule, ast.Constant), f"{path}: rule ids are literal"
                yield str(rule.value)


def test_each_rule_is_made_by_a_detector_and_each_detector_makes_known_rules() -> None:
    assert set(made()) == set(FINDINGS)


def test_each_detector_of_a_module_is_registered_once() -> None:
    registry.load()
    count = [len(d) for d in registry.OBJECT_DETECTORS.values()]
    registry.load()
    assert count == [len(d) for d in registry.OBJECT_DETECTORS.values()]
    everything: list[Any] = [*registry.OBJECT_DETECTORS.values(), registry.CLUSTER_DETECTORS]
    for detectors in everything:
        assert len(set(detectors)) == len(detectors)


def test_object_detectors_look_at_watched_kinds() -> None:
    assert set(registry.OBJECT_DETECTORS) <= {kind.name for kind in KINDS}


def test_every_module_of_the_rooms_registers_or_serves_one_that_does() -> None:
    """A detector without a registration never runs: each function that yields findings is
    registered or called."""
    groups: list[list[Any]] = [
        *registry.OBJECT_DETECTORS.values(),
        registry.CLUSTER_DETECTORS,
    ]
    registered: set[Any] = {d for group in groups for d in group}
    names = {d.__name__ for d in registered}
    paths = sorted((ROOT / "detectors").rglob("*.py"))
    text = "\n".join(path.read_text() for path in paths)
    for path in paths:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and "Iterator[Finding]" in ast.unparse(
                node.returns or ast.Constant(None)
            ):
                called = len(re.findall(rf"\b{node.name}\(", text)) > 1
                assert (
                    node.name in names or called or path.name in ("starting.py", "registry.py")
                ), f"{path.name}: {node.name} is never called"
