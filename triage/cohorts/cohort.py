"""What failing objects share that the healthy ones of the same kind do not.

Each attribute value of the failing objects is a 2x2 table (inside/outside, has it/has it not),
tested with Fisher's exact test, one-sided (the value is more frequent inside), and Holm-corrected
for all values tried. Values that separate exactly as well name each other as ties: the data cannot
tell them apart. One failing object proves nothing about what it shares, and two rarely do.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from cluster.kube.objects import Node, Pod, Ref
from cluster.statistics import fisher, holm
from triage.cohorts.healthy import COUNTED, HealthyCounts, node_attributes, of_node
from triage.facts.cluster_view import ClusterView
from triage.facts.cooperative import Cooperative
from triage.facts.finding import SharedAttribute, spoken
from triage.facts.population import Attribute, attributes
from triage.facts.reads.results import HEALTHY

ALPHA = 0.05
_SHARE_INSIDE = 0.6
_LIMIT = 8
_NEW = timedelta(hours=48)
"""A creation time counts only when it is recent."""
ORDER = (
    "node",
    "owner",
    "image digest",
    "image",
    "kubelet version",
    "kernel version",
    "container runtime",
    "os image",
    "node pool",
    "instance type",
    "zone",
    "architecture",
    "node created after",
    "created after",
    "storage class",
    "volume driver",
    "namespace",
    "service account",
    "priority class",
)
"""Among equal separations the first is named and the others are ties."""


class Contingency(msgspec.Struct, frozen=True):
    """One attribute value: `inside` (k, n) of the failing, `outside` (k, n) of the healthy."""

    what: str
    value: str
    inside: tuple[int, int]
    outside: tuple[int, int]


def judge(tables: Iterable[Contingency], limit: int = _LIMIT) -> tuple[SharedAttribute, ...]:
    """The attributes that separate, best first; `tables` are all that were tried."""
    tried = sorted(
        tables, key=lambda t: (ORDER.index(t.what) if t.what in ORDER else len(ORDER), t.value)
    )
    raw = [fisher(t.inside[0], t.inside[1], t.outside[0], t.outside[1]) for t in tried]
    found: list[tuple[float, float, Contingency]] = []
    for table, p in zip(tried, holm(raw), strict=True):
        share_in = table.inside[0] / table.inside[1] if table.inside[1] else 0.0
        share_out = table.outside[0] / table.outside[1] if table.outside[1] else 0.0
        if p < ALPHA and share_in >= _SHARE_INSIDE and share_out <= share_in / 2:
            found.append((share_in - share_out, p, table))
    # Objects that have not started are young, so age separates by itself and comes after everything
    # else that they share.
    whole = any(
        t.inside[0] == t.inside[1] and not t.what.endswith("created after") for _, _, t in found
    )
    found.sort(
        key=lambda item: (whole and item[2].what == "created after", -item[0], item[1])
    )  # A stable sort: ORDER decides among equals.
    result: list[SharedAttribute] = []
    used: set[int] = set()
    dated: set[str] = set()
    for index, (_, p, table) in enumerate(found):
        if index in used or (table.what in dated and table.what.endswith("created after")):
            continue
        if table.what.endswith("created after"):
            dated.add(table.what)
        ties = [
            i
            for i in range(index + 1, len(found))
            if found[i][2].inside == table.inside
            and found[i][2].outside == table.outside
            and i not in used
        ]
        used.update(ties)
        group = [table, *(found[i][2] for i in ties)]
        for one in group:
            names = tuple(f"{t.what} {spoken(t.what, t.value)}" for t in group if t is not one)
            result.append(SharedAttribute(one.what, one.value, one.inside, one.outside, p, names))
    return tuple(result[:limit])


def _tables(
    inside: Counter[Attribute], n_in: int, outside_: Mapping[Attribute, int], n_out: int
) -> list[Contingency]:
    return [
        Contingency(
            what, value, (k, n_in), (max(0, min(outside_.get((what, value), 0), n_out)), n_out)
        )
        for (what, value), k in inside.items()
        if _frequent(k, n_in)
    ]


def _frequent(count: int, of: int) -> bool:
    """Whether so many of the failing objects have a value that it is tried at all."""
    return count >= 2 and count >= _SHARE_INSIDE * of / 2


def of_pods(
    pods: Sequence[Pod],
    healthy: HealthyCounts,
    view: ClusterView,
    limit: int = _LIMIT,
) -> Cooperative[tuple[SharedAttribute, ...]]:
    """What these pods share against the `healthy` ones that do not belong to them."""
    if len(pods) < 2:
        return ()
    view.note(HEALTHY)
    if others := [pod for pod in pods if not healthy.leaves_out(pod)]:
        healthy = yield from healthy.without(others)
    n_out = healthy.total
    inside: Counter[Attribute] = Counter()
    for number, pod in enumerate(pods, 1):
        if number % COUNTED == 0:
            yield
        for attribute in attributes(pod):
            if attribute[0] not in ("controller", "claim") and not (
                attribute[0] == "service account" and attribute[1].endswith("/default")
            ):
                inside[attribute] += 1
        owner = view.owner(pod)
        if owner.kind != "Pod":
            inside["owner", str(owner)] += 1
        for attribute in _storage(pod, view):
            inside[attribute] += 1
        for attribute in healthy.of_node(pod).items():
            inside[attribute] += 1
    inside = Counter({a: k for a, k in inside.items() if _frequent(k, len(pods))})
    out = {
        a: healthy.count(a)
        for a in inside
        if a[0] not in ("owner", "storage class", "volume driver")
    }
    yield from _count_owners(inside, out, healthy, view)
    _count_storage(inside, out, healthy, view)
    tables = _tables(inside, len(pods), out, n_out)
    tables += _young_nodes(pods, healthy, view)
    # One old failing pod must not hide that all others are young: several times are tried, and the
    # correction counts them.
    young = [
        p.metadata.creation_timestamp
        for p in pods
        if p.metadata.creation_timestamp and view.recent(p.metadata.creation_timestamp, _NEW)
    ]
    created = sorted(
        int(p.metadata.creation_timestamp.timestamp())
        for p in pods
        if p.metadata.creation_timestamp
    )
    for moment in _moments(young, len(pods)):
        later = healthy.created_since(moment)
        k = len(created) - bisect_left(created, int(moment.timestamp()))
        tables.append(
            Contingency(
                "created after", moment.isoformat(), (k, len(pods)), (min(later, n_out), n_out)
            )
        )
    return judge(tables, limit)


def _young_nodes(
    pods: Sequence[Pod], healthy: HealthyCounts, view: ClusterView
) -> list[Contingency]:
    """Whether the pods are on nodes that joined recently, against healthy pods on nodes that are at
    least as young."""
    born = healthy.born
    mine = [born[p.spec.node_name] for p in pods if p.spec.node_name in born]
    found: list[Contingency] = []
    for moment in _moments([t for t in mine if view.recent(t, _NEW)], len(pods), most=2):
        young = {name for name, t in born.items() if t >= moment}
        if len(young) == len(born):
            continue
        outside = sum(healthy.count(("node", name)) for name in young)
        inside = sum(1 for p in pods if p.spec.node_name in young)
        found.append(
            Contingency(
                "node created after",
                moment.isoformat(),
                (inside, len(pods)),
                (min(outside, healthy.total), healthy.total),
            )
        )
    return found


def _moments(created: list[datetime], failing: int, most: int = 6) -> list[datetime]:
    """The earliest creation times, at most `most`, with most of the failing objects after them."""
    distinct = sorted(set(created))
    return [
        t
        for t in distinct[:most]
        if sum(1 for c in created if c >= t) >= max(2, _SHARE_INSIDE * failing)
    ]


def has(pod: Pod, what: str, value: str, view: ClusterView) -> bool:
    """Whether a pod has this attribute."""
    if (what, value) in set(attributes(pod)) or (what == "owner" and str(view.owner(pod)) == value):
        return True
    if of_node(pod, view).get(what) == value:
        return True
    return (what, value) in _storage(pod, view)


def _count_owners(
    inside: Counter[Attribute], out: dict[Attribute, int], healthy: HealthyCounts, view: ClusterView
) -> Cooperative[None]:
    for number, (what, value) in enumerate(list(inside), 1):
        if number % COUNTED == 0:
            yield
        if what != "owner":
            continue
        ref = _parse(value)
        controllers = [ref]
        row = view.store.get(*ref)
        if row is not None:
            controllers += [
                Ref(kind, *key)
                for (kind, key) in view.store.owned_by(row.metadata.uid)
                if kind in ("ReplicaSet", "Job")
            ]
        out[what, value] = sum(
            healthy.count(("controller", f"{c.kind}/{c.namespace}/{c.name}")) for c in controllers
        )


def _parse(text: str) -> Ref:
    kind, _, rest = text.partition(" ")
    namespace, slash, name = rest.partition("/")
    return Ref(kind, namespace, name) if slash else Ref(kind, "", namespace)


def _storage(pod: Pod, view: ClusterView) -> list[Attribute]:
    found: dict[Attribute, None] = {}
    for claim in pod.spec.claims:
        found |= dict.fromkeys(_claim(f"{pod.metadata.namespace}/{claim}", view))
    return list(found)


def _claim(name: str, view: ClusterView) -> list[Attribute]:
    namespace, _, claim = name.partition("/")
    row = view.store.get("PersistentVolumeClaim", namespace, claim)
    if row is None:
        return []
    found: list[Attribute] = []
    if row.spec.storage_class_name:
        found.append(("storage class", row.spec.storage_class_name))
    volume = (
        view.store.get("PersistentVolume", "", row.spec.volume_name)
        if row.spec.volume_name
        else None
    )
    if volume is not None and volume.spec.csi is not None and volume.spec.csi.driver:
        found.append(("volume driver", volume.spec.csi.driver))
    return found


def _count_storage(
    inside: Counter[Attribute], out: dict[Attribute, int], healthy: HealthyCounts, view: ClusterView
) -> None:
    wanted = {a for a in inside if a[0] in ("storage class", "volume driver")}
    if not wanted:
        return
    for attribute in wanted:
        out[attribute] = 0
    for value, count in healthy.claims():
        for attribute in _claim(value, view):
            if attribute in wanted:
                out[attribute] += count


def of_nodes(names: Iterable[str], view: ClusterView) -> tuple[SharedAttribute, ...]:
    """What these nodes share against the other nodes, and which owners (without DaemonSets) run
    only on them."""
    failing = set(names)
    nodes = list(view.store.all("Node", Node))
    inside_nodes = [n for n in nodes if n.metadata.name in failing]
    others = [n for n in nodes if n.metadata.name not in failing]
    if len(inside_nodes) < 2 or not others:
        return ()
    inside: Counter[Attribute] = Counter()
    out: Counter[Attribute] = Counter()
    for node, side in [*((n, inside) for n in inside_nodes), *((n, out) for n in others)]:
        side.update(node_attributes(node).items())
    for node in inside_nodes:
        inside.update({("owner", o) for o in _owners_on(node.metadata.name, view)})
    wanted = {
        value
        for (what, value), k in inside.items()
        if what == "owner" and k >= _SHARE_INSIDE * len(inside_nodes)
    }
    if wanted:
        for node in others:
            out.update({("owner", o) for o in _owners_on(node.metadata.name, view) if o in wanted})
    # Attributes of nodes and their workloads are tested apart: a hundred owners must not drown
    # eight attributes.
    every = _tables(inside, len(inside_nodes), out, len(others))
    tables = [t for t in every if t.what != "owner"]
    first = min(
        (n.metadata.creation_timestamp for n in inside_nodes if n.metadata.creation_timestamp),
        default=None,
    )
    if first is not None and view.recent(first, _NEW):
        later = sum(
            1
            for n in others
            if n.metadata.creation_timestamp and n.metadata.creation_timestamp >= first
        )
        tables.append(
            Contingency(
                "node created after",
                first.isoformat(),
                (len(inside_nodes), len(inside_nodes)),
                (later, len(others)),
            )
        )
    found = (*judge(tables), *judge(t for t in every if t.what == "owner"))[:_LIMIT]
    return tuple(msgspec.structs.replace(each, of_nodes=True) for each in found)


def _owners_on(node: str, view: ClusterView) -> set[str]:
    found: set[str] = set()
    for pod in view.store.pods_on(node).values():
        owner = view.owner(pod)
        if owner.kind not in ("DaemonSet", "Node", "Pod"):
            found.add(str(owner))
    return found
