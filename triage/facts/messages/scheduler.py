"""Why no node fits a pod, by the text of the scheduler: kube-scheduler 1.20 to 1.35, Karpenter,
Fargate."""

from __future__ import annotations

import re
from typing import NamedTuple

from triage.facts.messages.wording import quoted

_CLAUSE = re.compile(r"^(\d+)\s+(.*)$", re.DOTALL)


_SCHEDULING: tuple[tuple[str, str], ...] = (
    ("insufficient memory", "insufficient-memory"),
    ("insufficient cpu", "insufficient-cpu"),
    ("insufficient pods", "insufficient-pods"),
    ("too many pods", "insufficient-pods"),
    ("insufficient ephemeral-storage", "insufficient-storage"),
    ("did not have enough free storage", "insufficient-storage"),
    ("insufficient ", "insufficient-other"),
    ("node.kubernetes.io/not-ready", "node-not-ready"),
    ("node.kubernetes.io/unreachable", "node-not-ready"),
    ("were not ready", "node-not-ready"),
    ("node.kubernetes.io/unschedulable", "cordoned"),
    ("were unschedulable", "cordoned"),
    ("taint", "taint"),
    ("anti-affinity", "anti-affinity"),
    ("topology spread", "topology-spread"),
    ("volume node affinity conflict", "volume-affinity"),
    ("persistentvolume's node affinity", "volume-affinity"),
    ("no available volume zone", "volume-affinity"),
    ("exceed max volume count", "volume-count"),
    ("available persistent volumes to bind", "volume-unbound"),
    ("node affinity", "affinity"),
    ("nodeaffinity", "affinity"),
    ("volumebinding", "volume-affinity"),
    ("node selector", "affinity"),
    ("prefilter result", "affinity"),
    ("pod affinity", "affinity"),
    ("free ports", "host-port"),
    ("allocate all claims", "resource-claim"),
    ("resourceclaim", "resource-claim"),
)


_BEFORE_FILTERS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), cause)
    for pattern, cause in (
        (r"unbound immediate persistentvolumeclaims", "volume-unbound"),
        (r"persistentvolumeclaim \"?([^\s\"]+)\"? (?:not found|is being deleted)", "claim-missing"),
        (r"ephemeral volume controller to create the persistentvolumeclaim", "volume-unbound"),
        (r"no nodes available to schedule pods", "no-nodes"),
        (r"binding volumes: (.+)", "volume-binding"),
        (r"resourceclaims? \"?([^\s\"]*)|resource claim", "resource-claim"),
        (r"provisioning timed out", "provisioning"),
        (r"(?:not supported on fargate|misconfigured fargate profile)[:\s]*(.*)", "provider"),
        (r"incompatible with nodepool|no (?:nodepool|instance type)", "nodepool"),
    )
)
"""Texts without a count per node: before the filters run, and of other schedulers (Karpenter,
Fargate)."""


_RESOURCE = re.compile(r"insufficient (\S+)", re.IGNORECASE)


_TAINT = re.compile(r"taint\(?s?\)?\s*\{([^:}\s]+)")


_DETAIL = {"insufficient-other": _RESOURCE, "taint": _TAINT}


class Scheduling(NamedTuple):
    """Why no node fits: causes, most frequent first, each with the number of nodes; `nodes` that
    could take it were looked at. `detail` belongs to the first cause: the resource, the key of the
    taint, the claim. `control_plane`: nodes beside these, whose taint keeps out every workload."""

    causes: tuple[tuple[str, int], ...]
    nodes: int
    detail: str = ""
    control_plane: int = 0


def scheduling(message: str, bound: bool = False, masters: int = 0) -> Scheduling:
    """Read a FitError of Kubernetes 1.20 to 1.35: `0/5 nodes are available: 2 Insufficient memory,
    3 node(s) had untolerated taint {k: v}. preemption: …`, or the text of another scheduler.

    The clauses are in lexicographic order, so they are ranked by their count here. Nodes of the
    control plane, whose taint no workload tolerates, do not count where there are others. Nodes
    that the pod's own selector leaves out count last where others pass it and lack something, and
    not at all for a pod that is `bound` by its affinity to one node. Where taints have no key
    (1.35), `masters` of their nodes are of the control plane. Texts before the filters run have no
    counts.
    """
    text = re.split(r"\.?\s+(?:preemption:|no new claims to deallocate)", message, maxsplit=1)[0]
    head = re.search(r"\d+/(\d+) nodes are available", text)
    if head is None or not re.search(r":\s*\d+ ", text[head.end() :]):
        for pattern, cause in _BEFORE_FILTERS:
            if (found := pattern.search(text)) is not None:
                detail = next((text for text in found.groups() if text), "")
                return Scheduling(((cause, 0),), 0, quoted(detail))
    nodes = int(head[1]) if head else 0
    body = text.partition("available:")[2] if head else text
    counts: dict[str, int] = {}
    workers: dict[str, int] = {}
    details: dict[str, tuple[int, str]] = {}
    for clause in re.split(r",\s+(?=\d+\s)", body.strip().rstrip(".")):
        parts = _CLAUSE.match(clause.strip())
        number, what = (int(parts[1]), parts[2]) if parts else (0, clause)
        lowered = what.lower()
        cause = next((name for needle, name in _SCHEDULING if needle in lowered), "other")
        keyed = _TAINT.search(what)
        own = number
        if keyed is not None and keyed[1].rstrip(".,") in CONTROL_PLANE:
            own = 0
        elif cause == "taint" and keyed is None:
            own = max(number - masters, 0)
        counts[cause] = counts.get(cause, 0) + number
        workers[cause] = workers.get(cause, 0) + own
        detail = quoted(what) if cause == "other" else ""
        if cause in _DETAIL and (named := _DETAIL[cause].search(what)) is not None:
            detail = named[1].rstrip(".,")
        if detail and own > details.get(cause, (-1, ""))[0]:
            details[cause] = own, detail
    if bound:  # the other nodes are no reason: that of its own decides
        counts = {cause: n for cause, n in counts.items() if cause != "affinity"} or counts
    control_plane = 0
    if not bound and any(workers.values()):
        control_plane = sum(counts.values()) - sum(workers.values())
        counts = {cause: n for cause in counts if (n := workers[cause]) or not counts[cause]}
    last = "affinity" if any(cause.startswith(_AFTER_AFFINITY) for cause in counts) else ""
    ranked = sorted(counts.items(), key=lambda item: (item[0] == last, -item[1], item[0]))
    detail = details.get(ranked[0][0], (0, ""))[1]
    return Scheduling(tuple(ranked), max(nodes - control_plane, 0), detail, control_plane)


_AFTER_AFFINITY = ("insufficient-", "host-port", "volume-", "topology", "anti-", "resource-claim")
"""What the filters behind NodeAffinity say: of nodes that the selector allows."""
CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
"""Keys of the taint that keeps workloads off the nodes of the control plane."""


SCHEDULING_TEXT = {
    "insufficient-memory": "insufficient memory",
    "insufficient-cpu": "insufficient cpu",
    "insufficient-pods": "no node may run more pods",
    "insufficient-storage": "insufficient ephemeral storage",
    "insufficient-other": "insufficient of a resource",
    "node-not-ready": "nodes are not ready",
    "taint": "untolerated taints",
    "cordoned": "nodes are cordoned",
    "affinity": "node affinity or selector",
    "anti-affinity": "anti-affinity rules",
    "topology-spread": "topology spread constraints",
    "volume-affinity": "volume in another zone or node",
    "volume-count": "too many volumes on the nodes",
    "volume-unbound": "unbound volume claims",
    "volume-binding": "volumes cannot be bound",
    "claim-missing": "volume claim not found",
    "resource-claim": "dynamic resources cannot be allocated",
    "host-port": "host port in use",
    "no-nodes": "the cluster has no node",
    "provisioning": "the provider did not provision a node in time",
    "provider": "the provider refuses the pod",
    "nodepool": "no node pool fits",
    "no-machine": "the provider has no machine left for its node pool",
    "gated": "scheduling gates",
    "queued": "a queue admits them",
    "other": "no node fits",
}


def scheduling_text(cause: str, detail: str = "") -> str:
    """A cause in words, with the word that decides: the resource, the taint, the claim."""
    text = SCHEDULING_TEXT.get(cause, SCHEDULING_TEXT["other"])
    if not detail:
        return text
    named = {
        "insufficient-other": f"insufficient {detail}",
        "taint": f"untolerated taint {detail}",
        "volume-unbound": detail,
        "claim-missing": f"volume claim {detail} not found",
        "other": detail,
    }
    return named.get(cause, f"{text}: {detail}")
