"""Collects the detectors. Each registers itself with a decorator where it is written; `load`
imports the modules of all rooms, so that a new module needs no entry in a list."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import triage.detectors
from triage.facts.cluster_view import ClusterView
from triage.facts.finding import Finding
from triage.facts.finding_index import FindingIndex

Detector = Callable[[Any, ClusterView], Iterator[Finding]]
"""Looks at one object (a row of its kind) and at what belongs to it."""
ClusterDetector = Callable[[ClusterView, FindingIndex], Iterator[Finding]]
"""Examines findings, counters and measurements. Its cost may grow with the findings, but not with
the cluster. It reads no finding of another cluster detector, because they have no order."""
F = TypeVar("F", bound=Callable[..., Iterator[Finding]])

OBJECT_DETECTORS: dict[str, list[Detector]] = {}
"""By the kind that they examine."""
CLUSTER_DETECTORS: list[ClusterDetector] = []


def object_detector(*kinds: str) -> Callable[[F], F]:
    """Registers a detector for objects of these kinds."""

    def register(detector: F) -> F:
        for kind in kinds:
            OBJECT_DETECTORS.setdefault(kind, []).append(detector)
        return detector

    return register


def cluster_detector(detector: F) -> F:
    """Registers a detector for the cluster as a whole."""
    CLUSTER_DETECTORS.append(detector)
    return detector


def load() -> None:
    """Imports every module below `triage.detectors`; a second call changes nothing."""
    for module in pkgutil.walk_packages(triage.detectors.__path__, "triage.detectors."):
        importlib.import_module(module.name)
