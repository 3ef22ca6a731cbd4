"""Real kube-proxies on real nodes: the health page through the pod proxy, closed metrics, and one
that hangs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.connection import is_settled
from cluster.kube.objects import Node
from cluster.live.live_cluster import LiveCluster
from incident.cadence import Cadence
from incident.metrics.kube_proxy import KubeProxies, kube_proxies
from tests.incident.drill import investigating, until
from tests.rungs.nodes import Lab

pytestmark = pytest.mark.nodes


def stand_in(node: str) -> dict[str, Any]:
    """A pod on the node's own network: the lab's kube-proxy runs beside the pods, and its ports are
    the node's."""
    return {
        "metadata": {
            "name": f"kube-proxy-{node}",
            "namespace": "kube-system",
            "labels": {"k8s-app": "kube-proxy"},
        },
        "spec": {
            "nodeName": node,
            "hostNetwork": True,
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": "wait",
                    "image": "stanch.test/busybox:1",
                    "imagePullPolicy": "Never",
                    "command": ["sleep", "3600"],
                }
            ],
        },
    }


def create(http: httpx.Client, lab: Lab) -> None:
    for node in lab.members:
        http.post("/api/v1/namespaces/kube-system/pods", json=stand_in(node)).raise_for_status()


def remove(http: httpx.Client, lab: Lab) -> None:
    for node in lab.members:
        http.delete(
            f"/api/v1/namespaces/kube-system/pods/kube-proxy-{node}",
            params={"gracePeriodSeconds": "0"},
        )


async def test_what_real_kube_proxies_tell(nodes_lab: Lab, tmp_path: Path) -> None:
    with nodes_lab.cluster.client() as http:
        create(http, nodes_lab)
        try:
            async with investigating(
                nodes_lab.cluster.kubeconfig, tmp_path, record=False
            ) as investigation:
                await until(investigation, is_settled, 60.0)
                live = investigation._session.live
                assert isinstance(live, LiveCluster)
                nodes = set(nodes_lab.members)
                await until(
                    investigation,
                    lambda _: {p.spec.node_name for p in kube_proxies(live)} == nodes,
                    60.0,
                )
                proxies = KubeProxies(live, live._clock, Cadence())
                sample = await proxies.measure(
                    node.metadata.name for node in live.store.all("Node", Node)
                )
                assert sample is not None
                assert {
                    usage.node: (usage.answers, usage.overdue_seconds) for usage in sample.values
                } == dict.fromkeys(nodes, (True, 0.0))
                assert [gap.quiet for gap in proxies.gaps()] == [True], (
                    "the metrics of kube-proxy stay on the node by default"
                )
                frozen = nodes_lab.cluster.processes["node-2-kube-proxy"]
                frozen.freeze()
                try:
                    sample = await proxies.measure(nodes)
                finally:
                    frozen.thaw()
                assert sample is not None
                assert {usage.node: usage.answers for usage in sample.values} == {
                    "node-1": True,
                    "node-2": False,
                }
        finally:
            remove(http, nodes_lab)
