"""HorizontalPodAutoscalers at their target."""

from __future__ import annotations

from drills.api.managed_fields import FieldManager
from drills.api.objects import new_condition, rfc3339, stable_fraction
from drills.scenario.config import author
from drills.scenario.world import Data, World


def add_autoscaler(world: World, data: Data) -> None:
    """data: hpa {min, max, cpu (target %)}; the replica count is the workload's own. The status is
    written here because an autoscaler computes it from metrics over time, and an embedded cluster
    has no history of metrics."""
    name, namespace, hpa = data["name"], data["namespace"], data["hpa"]
    replicas, target = int(data.get("replicas", 1)), int(hpa.get("cpu", 70))
    usage = int(target * (0.55 + 0.3 * stable_fraction("hpa", namespace, name)))
    who = author(world, data, "spec", age="41d")
    settled = rfc3339(who.at)

    def metric(word: str, value: dict[str, object]) -> list[dict[str, object]]:
        return [{"type": "Resource", "resource": {"name": "cpu", word: value}}]

    counted = (
        "the HPA was able to successfully calculate a replica count from cpu resource utilization "
        "(percentage of request)"
    )
    conditions = (
        ("AbleToScale", True, "ReadyForNewScale", "recommended size matches current size"),
        ("ScalingActive", True, "ValidMetricFound", counted),
        (
            "ScalingLimited",
            False,
            "DesiredWithinRange",
            "the desired count is within the acceptable range",
        ),
    )
    world.make(
        "HorizontalPodAutoscaler",
        name,
        namespace,
        who.at,
        who,
        FieldManager("kube-controller-manager", world.ago("40s"), ("status",), "status"),
        spec={
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": int(hpa.get("min", replicas)),
            "maxReplicas": int(hpa.get("max", replicas * 3)),
            "metrics": metric("target", {"type": "Utilization", "averageUtilization": target}),
        },
        status={
            "currentReplicas": replicas,
            "desiredReplicas": replicas,
            "lastScaleTime": rfc3339(world.ago("2d")),
            "currentMetrics": metric(
                "current", {"averageUtilization": usage, "averageValue": f"{usage}m"}
            ),
            "conditions": [
                new_condition(kind, value, settled, reason, message)
                for kind, value, reason, message in conditions
            ],
        },
    )
