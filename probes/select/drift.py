"""Image drift of DaemonSets: nodes on which the same agent runs another image content.

Compares image ids of the same form and architecture only: a bare digest and a repository digest
cannot be compared, and nodes of another architecture may differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cluster.kube.objects import DaemonSet, Node, Pod, Ref
from cluster.live.store import Store


@dataclass(frozen=True, slots=True)
class Drift:
    """One container of a DaemonSet that runs more than one image content. `odd`: node outside the
    majority -> its image id."""

    daemonset: Ref
    container: str
    image: str
    majority: str
    majority_nodes: tuple[str, ...]
    odd: Mapping[str, str]

    @property
    def sentence(self) -> str:
        nodes = ", ".join(sorted(self.odd))
        ids = ", ".join(sorted({short(i) for i in self.odd.values()}))
        usual = f"{short(self.majority)} on {len(self.majority_nodes)} other nodes"
        return f"{self.daemonset.name}/{self.container} runs {ids} on {nodes}, but {usual}"


def short(image_id: str) -> str:
    """The first 12 hex digits of an image id's digest."""
    _, _, digest = image_id.rpartition("sha256:")
    return digest[:12] if digest and digest != image_id else image_id[-40:]


def drifts(store: Store, namespaces: frozenset[str] = frozenset()) -> list[Drift]:
    """All drifts, ordered by namespace and name; `namespaces` empty: in all."""
    found: list[Drift] = []
    for (namespace, _), row in sorted(store.rows("DaemonSet").items()):
        if isinstance(row, DaemonSet) and (not namespaces or namespace in namespaces):
            found += _of_daemonset(store, row)
    return found


def _of_daemonset(store: Store, daemonset: DaemonSet) -> list[Drift]:
    groups: dict[tuple[str, str, bool, str], dict[str, list[str]]] = {}
    for pod in store.owned_by(daemonset.metadata.uid).values():
        if not isinstance(pod, Pod):
            continue
        node: Node | None = store.get("Node", "", pod.spec.node_name)
        architecture = node.status.node_info.architecture if node is not None else ""
        images = {c.name: c.image for c in pod.spec.containers}
        for status in pod.status.container_statuses:
            image_id = status.image_id.removeprefix("docker-pullable://").removeprefix("docker://")
            if image_id:
                key = (
                    status.name,
                    images.get(status.name, status.image),
                    "@" in image_id,
                    architecture,
                )
                groups.setdefault(key, {}).setdefault(image_id, []).append(pod.spec.node_name)
    ref = Ref("DaemonSet", daemonset.metadata.namespace, daemonset.metadata.name)
    found = []
    for (container, image, _, _), ids in sorted(groups.items()):
        if len(ids) < 2:
            continue
        majority = min(ids, key=lambda i: (-len(ids[i]), i))
        odd = {
            node: image_id
            for image_id, nodes in ids.items()
            if image_id != majority
            for node in nodes
        }
        found.append(Drift(ref, container, image, majority, tuple(sorted(ids[majority])), odd))
    return found
