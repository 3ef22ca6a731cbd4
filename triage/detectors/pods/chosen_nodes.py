"""The nodes that a pod's own node selector and affinity leave, and why these do not take it: what
decides where the scheduler counts several reasons."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from cluster.kube.nodes import is_control_plane, ready_status
from cluster.kube.objects import Node, PodSpec
from cluster.kube.selectors import node_term_matches
from triage.facts.cluster_view import ClusterView
from triage.facts.messages.scheduler import Scheduling
from triage.facts.placement import chooses, has_choice, required_terms, untolerated


def of_chosen(read: Scheduling, spec: PodSpec, view: ClusterView) -> tuple[Scheduling, str]:
    """The reasons in the order in which they decide, and the words for the first, "" for none.

    The scheduler counts each node once, by the first filter that it fails, and the filters for
    cordons and taints run before the one for labels (kube-scheduler, default plugins): most nodes
    may not match although the one that does is tainted, and all may be tainted although none
    matches. Nodes of the control plane count where the pod asks for what no other node has.
    """
    if not has_choice(spec) or not view.readable("Node"):
        return read, ""
    every = list(view.store.all("Node", Node))
    chosen = [n for n in every if chooses(spec, n) and not is_control_plane(n)]
    if not chosen and _for_control_plane(spec, every):
        chosen = [n for n in every if chooses(spec, n)]
    counts = dict(read.causes)
    if not every:
        return read, ""
    if not chosen:
        rest = tuple(each for each in read.causes if each[0] != "affinity")
        return read._replace(causes=(("affinity", counts["affinity"]), *rest)), ""
    why = Counter(_blocked(spec, node) for node in chosen)
    if "" in why:
        return read, ""
    first = max(sorted(why), key=lambda cause: why[cause])
    if first not in counts:  # said before the nodes changed
        return read, ""
    rest = tuple(each for each in read.causes if each[0] not in (first, "affinity"))
    causes = ((first, counts[first]), *rest, ("affinity", counts["affinity"]))
    key = _taint(spec, chosen) if first == "taint" else ""
    own = f"{key} on {_of(spec, chosen)}" if key else _of(spec, chosen)
    return read._replace(causes=causes, detail=key), own


def _blocked(spec: PodSpec, node: Node) -> str:
    """What of its state keeps a pod off a node, as the scheduler's filters run; "" for nothing."""
    if node.spec.unschedulable:
        return "cordoned"
    if ready_status(node) != "True":
        return "node-not-ready"
    return "taint" if untolerated(spec, node) is not None else ""


def _taint(spec: PodSpec, nodes: list[Node]) -> str:
    """`workload=gpu (it tolerates workload=cpu)`: the taint that most of the nodes have."""
    found = Counter(
        (t.key, t.value) for node in nodes if (t := untolerated(spec, node)) is not None
    )
    key, value = max(sorted(found), key=lambda pair: found[pair])
    other = sorted(t.value for t in spec.tolerations if t.key == key and t.value != value)
    nearly = f" (it tolerates {key}={other[0]})" if other and other[0] else ""
    return (f"{key}={value}" if value else key) + nearly


def _of(spec: PodSpec, chosen: list[Node]) -> str:
    """`n3, the only node with disk=ssd`, `all 4 nodes with disk=ssd`."""
    asked = [f"{key}={value}" for key, value in sorted(spec.node_selector.items())]
    asked += [_text(each) for term in required_terms(spec)[:1] for each in _requirements(term)]
    with_ = " and ".join(asked[:2]) or "what it asks for"
    if len(chosen) == 1:
        return f"{chosen[0].metadata.name}, the only node with {with_}"
    return f"all {len(chosen)} nodes with {with_}"


def _for_control_plane(spec: PodSpec, nodes: list[Node]) -> bool:
    """Whether the pod asks for a label that only nodes of the control plane have."""
    workers = [node for node in nodes if not is_control_plane(node)]
    wanted = [_pair(key, value) for key, value in spec.node_selector.items()]
    wanted += [each for term in required_terms(spec) for each in _requirements(term)]
    return any(
        each.get("operator") not in _NOT and not any(_meets(n, each) for n in workers)
        for each in wanted
    )


_NOT = ("NotIn", "DoesNotExist")


def no_node(spec: PodSpec, view: ClusterView) -> str:
    """`no node has disk=ssd, 3 have disk-type=ssd`: the label or the term that no node has, ""
    where one has them all."""
    every = list(view.store.all("Node", Node))
    nodes = [node for node in every if not is_control_plane(node)] or every
    pairs = sorted(spec.node_selector.items())
    lacking = [(key, value) for key, value in pairs if not view.labelled(key, value)]
    if lacking:
        said = ", ".join(f"{key}={value}" for key, value in lacking)
        return f"no node has {said}{_nearest(*lacking[0], nodes)}"
    asked = [each for term in required_terms(spec) for each in _requirements(term)]
    unmet = [each for each in asked if not any(_meets(node, each) for node in nodes)]
    if unmet:
        return _none(unmet[0], nodes)
    if any(chooses(spec, node) for node in nodes):
        return ""
    texts = [f"{key}={value}" for key, value in pairs] + [_text(each) for each in asked]
    return f"no node has all of {', '.join(texts[:4])}" if len(texts) > 1 else ""


def _pair(key: str, value: str) -> Mapping[str, Any]:
    return {"key": key, "operator": "In", "values": [value]}


def _meets(node: Node, each: Mapping[str, Any]) -> bool:
    term = {"matchExpressions": [each]}
    return node_term_matches(term, node.metadata.name, node.metadata.labels)


def _requirements(term: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    found = term.get("matchExpressions")
    yield from (each for each in found if isinstance(each, dict)) if isinstance(found, list) else ()


def _values(each: Mapping[str, Any]) -> list[str]:
    values = each.get("values")
    return [str(value) for value in values] if isinstance(values, list) else []


def _text(each: Mapping[str, Any]) -> str:
    """`zone in (z9)`, `label gpu`, `state not in (old)`, `no label old`, `cores > 8`."""
    key, names = str(each.get("key") or ""), ", ".join(_values(each)[:3])
    return {
        "In": f"{key} in ({names})",
        "NotIn": f"{key} not in ({names})",
        "Exists": f"label {key}",
        "DoesNotExist": f"no label {key}",
        "Gt": f"{key} > {names}",
        "Lt": f"{key} < {names}",
    }.get(str(each.get("operator")), key)


def label_texts(selector: Mapping[str, Any]) -> list[str]:
    """`app=web`, `tier in (a, b)`: the parts of a label selector as the API sends it."""
    labels = selector.get("matchLabels")
    pairs = sorted(labels.items()) if isinstance(labels, dict) else []
    texts = [f"{key}={value}" for key, value in pairs]
    for each in _requirements(selector):
        values = _values(each)
        one = each.get("operator") == "In" and len(values) == 1
        texts.append(f"{each.get('key')}={values[0]}" if one else _text(each))
    return texts


def _none(each: Mapping[str, Any], nodes: list[Node]) -> str:
    """An expression that no node meets, as a sentence."""
    operator, key, values = each.get("operator"), str(each.get("key") or ""), _values(each)
    if operator == "NotIn":
        has = sorted({node.metadata.labels.get(key, "") for node in nodes})
        return f"every node has {key}={' or '.join(has[:3])}, which it excludes"
    if operator == "DoesNotExist":
        return f"every node has label {key}, which it excludes"
    near = _nearest(key, values[0], nodes) if operator == "In" and values else ""
    return f"no node has {_text(each)}{near}"


_SIGNS = re.compile(r"[-_.]")


def _nearest(key: str, value: str, nodes: list[Node]) -> str:
    """`, 3 have env=staging`: the same key with another value, or a key that is spelt alike."""
    bare = _SIGNS.sub("", key.lower())
    found = Counter(
        f"{other}={has}"
        for node in nodes
        for other, has in node.metadata.labels.items()
        if other == key or (_SIGNS.sub("", other.lower()) == bare and has == value)
    )
    if not found or key.startswith("kubernetes.io/"):
        return ""
    most = max(sorted(found), key=lambda text: found[text])
    return f", {found[most]} {'has' if found[most] == 1 else 'have'} {most}"
