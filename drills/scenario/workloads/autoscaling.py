"""HorizontalPodAutoscalers that sit where they should."""

from __future__ import annotations

from typing import Any

from drills.api.objects import Obj, rfc3339, stable_fraction
from drills.api.world import World, Writer


def add_hpa(world: World, data: dict[str, Any]) -> Obj:
    """data: hpa {min, max, cpu (target %)}; the replica count is the workload's own."""
    created = world.ago(data.get("age", "41d"))
    hpa, replicas = data["hpa"], int(data.get("replicas", 1))
    target = int(hpa.get("cpu", 70))
    usage = int(target * (0.55 + 0.3 * stable_fraction("hpa", data["namespace"], data["name"])))
    settled = rfc3339(created)
    return world.add(
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {
                "name": data["name"],
                "namespace": data["namespace"],
                "creationTimestamp": settled,
            },
            "spec": {
                "scaleTargetRef": {
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "name": data["name"],
                },
                "minReplicas": int(hpa.get("min", replicas)),
                "maxReplicas": int(hpa.get("max", replicas * 3)),
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {
                            "name": "cpu",
                            "target": {"type": "Utilization", "averageUtilization": target},
                        },
                    }
                ],
            },
            "status": {
                "currentReplicas": replicas,
                "desiredReplicas": replicas,
                "lastScaleTime": rfc3339(world.ago("2d")),
                "currentMetrics": [
                    {
                        "type": "Resource",
                        "resource": {
                            "name": "cpu",
                            "current": {"averageUtilization": usage, "averageValue": f"{usage}m"},
                        },
                    }
                ],
                "conditions": [
                    {
                        "type": "AbleToScale",
                        "status": "True",
                        "lastTransitionTime": settled,
                        "reason": "ReadyForNewScale",
                        "message": "recommended size matches current size",
                    },
                    {
                        "type": "ScalingActive",
                        "status": "True",
                        "lastTransitionTime": settled,
                        "reason": "ValidMetricFound",
                        "message": "the HPA was able to successfully calculate a replica "
                        "count from cpu resource utilization (percentage of request)",
                    },
                    {
                        "type": "ScalingLimited",
                        "status": "False",
                        "lastTransitionTime": settled,
                        "reason": "DesiredWithinRange",
                        "message": "the desired count is within the acceptable range",
                    },
                ],
            },
        },
        Writer(str(data.get("by", "argocd-controller")), created, ("spec",)),
        Writer("kube-controller-manager", world.ago("40s"), ("status",), "status"),
    )
