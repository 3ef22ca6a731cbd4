"""Image drift of DaemonSets: the same agent should run the same content on every node. Read-only,
from the live state alone.

A floating tag pulled at different times gives different agents on different nodes, invisible in the
specification (story of
`network-policy-cni-version-skew`). Image ids are compared only like with like: a bare digest
against a repository digest says nothing, and nodes of another architecture may rightly differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cluster.objects import DaemonSet, Node, Pod, Ref
from cluster.store import Store
from probes.context import ProbeContext, Progress
from probes.reading import answer, no_such_place, reading_plan
from probes.result import Component, Conclusion, ProbePlan, ProbeResult, Row

NAME = "image-drift"
PARAMETERS = {"namespace": "only DaemonSets there"}
QUESTION = "Does every DaemonSet run the same image content on all nodes?"


@dataclass(frozen=True, slots=True)
class Drift:
    """One container of one DaemonSet that runs more than one content. `odd` maps the nodes outside
    the majority to their image id."""

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
    """An image id as people compare it: the first 12 hex digits of its digest."""
    _, _, digest = image_id.rpartition("sha256:")
    return digest[:12] if digest and digest != image_id else image_id[-40:]


def drifts(store: Store, namespaces: frozenset[str] = frozenset()) -> list[Drift]:
    """All drifts, by namespace and name; `namespaces` empty: everywhere."""
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


async def plan(context: ProbeContext, arguments: Mapping[str, str]) -> ProbePlan:
    return reading_plan(NAME, arguments, QUESTION, refused=no_such_place(context, arguments))


async def run(
    plan: ProbePlan, context: ProbeContext, progress: Progress | None = None
) -> ProbeResult:
    started = context.clock()
    wanted = plan.arguments.get("namespace", "")
    found = drifts(context.store, frozenset({wanted}) if wanted else frozenset())
    by_ref: dict[Ref, list[Drift]] = {}
    for drift in found:
        by_ref.setdefault(drift.daemonset, []).append(drift)
    rows = []
    for (namespace, name), _ in sorted(context.store.rows("DaemonSet").items()):
        if wanted and namespace != wanted:
            continue
        ref = Ref("DaemonSet", namespace, name)
        drifted = by_ref.get(ref, [])
        rows.append(
            Row(
                ref,
                "; ".join(d.sentence for d in drifted) or "one content on all nodes",
                not drifted,
                "one content on all nodes",
            )
        )
    conclusions = tuple(
        Conclusion(
            drift.sentence,
            Component("agent", f"{drift.daemonset.name} on {', '.join(sorted(drift.odd))}"),
            0.9
            if ":" not in drift.image.rpartition("/")[2] or drift.image.endswith(":latest")
            else 0.8,
            "probe connectivity to pods on that node, and compare with another node",
            (f"image {drift.image}",),
        )
        for drift in found
    )
    return answer(plan, context, started, rows, conclusions, kinds=("DaemonSet", "Pod"))
