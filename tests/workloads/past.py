"""The cluster before anything is broken, three days old: six nodes of one kwok, one of another,
sixty pods, and a DNS server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.rungs.population import population
from tests.rungs.programs.kwok import ANNOTATION

Json = dict[str, Any]
LOST = "worker-006"
LEAVING = "leaving"
"""Value of the annotation of LOST: a kwok of its own plays it."""
NODES = 7
_LAST = "service-0003"


def past() -> Iterator[Json]:
    """Fit for `control_plane(objects=...)`. The last Deployment of the population, of two pods,
    becomes CoreDNS."""
    for raw in population(nodes=NODES, pods=62, crashing=0):
        name, namespace = raw["metadata"]["name"], raw["metadata"].get("namespace", "")
        if raw["kind"] == "Node" and name == LOST:
            raw["metadata"]["annotations"] = {
                **raw["metadata"].get("annotations", {}),
                ANNOTATION: LEAVING,
            }
        if name.startswith(_LAST):
            text = json.dumps(raw).replace(
                f"registry.example/{_LAST}", "registry.k8s.io/coredns/coredns"
            )
            raw = json.loads(text.replace(_LAST, "coredns").replace(namespace, "kube-system"))
            if raw["kind"] == "Deployment":
                yield _service(raw)
        yield raw


def _service(deployment: Json) -> Json:
    spec = {
        "type": "ClusterIP",
        "clusterIP": "10.96.0.10",
        "clusterIPs": ["10.96.0.10"],
        "selector": deployment["spec"]["selector"]["matchLabels"],
        "ports": [{"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53}],
    }
    meta = {
        "name": "kube-dns",
        "namespace": "kube-system",
        "creationTimestamp": deployment["metadata"]["creationTimestamp"],
    }
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}
