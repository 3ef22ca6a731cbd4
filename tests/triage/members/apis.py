"""Aggregated APIs."""

from __future__ import annotations

from tests.triage.build import Cluster, ago, meta, ts
from tests.triage.members.workloads import scaler
from tests.triage.situation import service


def aggregated(cluster: Cluster, group: str, message: str, with_service: bool) -> None:
    said = {
        "type": "Available",
        "status": "False",
        "reason": "FailedDiscoveryCheck",
        "message": message,
        "lastTransitionTime": ts(ago(minutes=20)),
    }
    cluster.add(
        "APIService",
        {
            "metadata": meta(f"v1beta1.{group}"),
            "spec": {
                "group": group,
                "version": "v1beta1",
                "service": {"namespace": "kube-system", "name": "metrics-server"},
            },
            "status": {"conditions": [said]},
        },
    )
    if with_service:
        cluster.deployment("metrics-server", "kube-system", replicas=1)
        service(cluster, "metrics-server", "kube-system", {"app": "metrics-server"}, port=443)
    else:
        service(cluster, "other", "kube-system", {"app": "x"}, port=443)
    reason = "FailedGetResourceMetric" if group.startswith("metrics") else "FailedGetPodsMetric"
    scaler(cluster, "ScalingActive", "False", reason, "unable to get metrics")
