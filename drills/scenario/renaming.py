"""Renames everything in a cluster: for blind drills, and for the proof that no name reveals an
answer.

Namespaces, workloads, nodes and their parts get new names, the same everywhere. Names of Kubernetes
itself (kube-system and its parts, the ingress controller) and public images stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from random import Random
from typing import Any, overload

from drills.api.objects import Obj, words
from drills.scenario.model import Scenario

_FIRST = words(
    "amber brisk calm dusky early fable grand hazel ivory jolly keen lunar mossy noble ochre plain "
    "quiet rapid sandy tidal umber vivid windy young zesty alder birch cedar"
)
_SECOND = words(
    "anchor badger canyon dolphin eagle falcon garnet harbor island jasper kestrel lagoon meadow "
    "nectar otter pebble quarry river sparrow tundra urchin valley walnut yarrow zephyr acorn "
    "beacon comet"
)
_KEPT_NAMESPACES = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})
_KEPT = frozenset(
    words(
        "default kubernetes kube-dns coredns nginx ingress-nginx ingress-nginx-controller gp3 "
        "cluster-admin data pods defaults helm cert-manager external-secrets kubelet"
    )
)
_NAMED = frozenset(
    words(
        "Deployment DaemonSet StatefulSet CronJob Service Ingress Secret ConfigMap ServiceAccount "
        "ClusterRole ClusterRoleBinding NetworkPolicy PersistentVolumeClaim "
        "HorizontalPodAutoscaler PodDisruptionBudget"
    )
)
"""Kinds whose objects get new names."""
_REGISTRIES = r"registry\.k8s\.io docker\.io quay\.io ghcr\.io cr\.fluentbit\.io public\.ecr\.aws"
_OUTSIDE = rf"(?:{_REGISTRIES.replace(' ', '|')}|[\w.]+\.amazonaws\.com)/[\w./:@-]+"
"""Public images."""


def mapping(objects: Iterable[Obj], seed: int) -> dict[str, str]:
    """Old name -> new name, the same for the same objects and seed."""
    plain: set[str] = set()
    nodes: set[str] = set()
    for obj in objects:
        name, kind = obj["metadata"]["name"], obj["kind"]
        kept = obj["metadata"].get("namespace", "") in _KEPT_NAMESPACES
        if kind == "Node":
            nodes.add(name)
        elif (kind == "Namespace" and name not in _KEPT_NAMESPACES) or (
            kind in _NAMED and not kept and "." not in name
        ):
            plain.add(name)
    random = Random(seed)  # noqa: S311  # names for practice
    pairs = [f"{a}-{b}" for a in _FIRST for b in _SECOND]
    random.shuffle(pairs)
    numbers = list(range(10, 99))
    random.shuffle(numbers)
    out = {name: f"host-{numbers.pop()}" for name in sorted(nodes)}
    for name in sorted(plain - _KEPT - nodes, key=lambda n: (len(n), n)):
        out[name] = pairs.pop()
    return out


class Renamer:
    """Applies a mapping to text and to nested data, keys included."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = dict(names)
        ordered = "|".join(re.escape(n) for n in sorted(names, key=len, reverse=True))
        text = rf"{_OUTSIDE}|(?<![A-Za-z0-9])({ordered})(?![A-Za-z0-9])"
        self._pattern = re.compile(text) if names else None
        self._known: dict[str, str] = {}
        """Cache of renamed texts: most strings of a cluster occur many times."""

    def text(self, text: str) -> str:
        if self._pattern is None:
            return text
        known = self._known.get(text)
        if known is None:
            known = self._known[text] = self._pattern.sub(
                lambda m: self._names[m.group(1)] if m.group(1) else m.group(0), text
            )
        return known

    def data(self, value: Any) -> Any:
        """The same structure with every string renamed; numbers, dates and None as they are."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.data(k): self.data(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(self.data(v) for v in value)
        return value


@overload
def shuffle(what: Scenario, seed: int) -> Scenario: ...
@overload
def shuffle(what: list[Obj], seed: int) -> list[Obj]: ...
def shuffle(what: Scenario | list[Obj], seed: int) -> Scenario | list[Obj]:
    """Objects under other names; or a scenario that expands, plays and serves under other names.
    The answer of a scenario keeps the names of its file."""
    if isinstance(what, Scenario):
        return replace(what, data={**what.data, "shuffle": seed})
    renamer = Renamer(mapping(what, seed))
    return [renamer.data(o) for o in what]
