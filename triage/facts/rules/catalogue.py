"""Every rule of findings and of changes, and the attributes that failing objects may share.

Runbooks match on ids and facts (`match: {strong, support, refute}`), so both are a contract: they
are only added. A finding about the cluster as a whole has the object `Ref("Cluster", "", "")`.

Facts have plain types: str, int, float, bool, None (not known) or a tuple of str. Findings about
pods carry `POD_FACTS` as well, findings about nodes `NODE_FACTS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from triage.facts.rules import (
    changes,
    control_plane,
    data,
    measured,
    network,
    nodes,
    pods,
    workloads,
)
from triage.facts.rules.rule import Rule

_ROOMS = (nodes, pods, workloads, control_plane, network, data, measured)

FINDINGS: Mapping[str, Rule] = MappingProxyType(
    {rule.id: rule for room in _ROOMS for rule in room.RULES}
)
"""Rules of findings by id."""
CHANGES: Mapping[str, Rule] = MappingProxyType({rule.id: rule for rule in changes.RULES})
"""Rules of changes by id."""

EFFECTS = frozenset(
    {
        "pod-not-ready",
        "pod-stuck-terminating",
        "pod-container-lost",
        "pod-restarted",
        "pod-not-starting",
        "pod-evicted",
        "pod-rejected-by-kubelet",
        "pod-crash-looping",
        "pod-oom-killed",
        "pod-liveness-killed",
        "workload-unavailable",
        "workload-degraded",
        "service-no-endpoints",
    }
)
"""Rules that follow from many causes, and may have had another one before."""
FOLLOWING = frozenset(
    {
        "workload-unavailable",
        "workload-degraded",
        "daemonset-short",
        "service-no-endpoints",
        "pod-stuck-terminating",
        "cronjob-missed",
    }
)
"""Effects that, beside a cause in the same symptom, say nothing about another one. A Service that
no pod matches is a cause."""
CONFIGURATIONS = frozenset(
    {
        "daemonset-image-drift",
        "exposed-privileged-workload",
        "external-name-missing",
        "governing-service-missing",
        "ingress-class-missing",
        "ingress-host-twice",
        "node-kernel-cfs-bug",
        "node-version-outlier",
        "replicas-in-one-zone",
        "replicas-on-one-node",
        "rollout-not-graceful",
        "service-isolated",
        "service-port-mismatch",
        "service-reference-wrong",
        "stateful-on-emptydir",
    }
)
"""Rules about how something is set up: it may stand for long before it hurts."""
USUAL = frozenset(
    {"node-version-outlier", "node-pods-full", "pdb-blocking", "daemonset-short", "node-cordoned"}
)
"""Rules that healthy clusters meet as well."""

COHORTS: Mapping[str, str] = MappingProxyType(
    {
        "node": "str: node name",
        "zone": "str",
        "instance type": "str",
        "node pool": "str",
        "architecture": "str",
        "kubelet version": "str",
        "kernel version": "str",
        "os image": "str",
        "container runtime": "str",
        "node created after": "RFC 3339: node joined at that time or later",
        "created after": "RFC 3339: object created at that time or later",
        "owner": "Kind/name in namespace, as `Deployment shop/cart`; for nodes: runs on the node",
        "namespace": "str",
        "image": "str",
        "image digest": "str",
        "service account": "namespace/name",
        "priority class": "str",
        "manager": "str: field manager that wrote the failing objects last",
        "storage class": "str",
        "volume driver": "str: CSI driver",
    }
)
"""Attributes that failing objects may share: `SharedAttribute.what` and what its value is."""
