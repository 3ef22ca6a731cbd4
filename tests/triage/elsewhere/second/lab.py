"""A cluster as plain API objects: all parts, and what controllers derive from them at the end."""

from __future__ import annotations

from tests.triage.elsewhere.second.controllers import Controllers, Workload
from tests.triage.elsewhere.second.objects import D, H, M, Obj, is_ready, seconds

__all__ = ["D", "H", "Lab", "M", "Obj", "Workload"]


class Lab(Controllers):
    """Objects of one cluster; every time is given as seconds before ``now``."""

    def finish(self) -> list[Obj]:
        """Writes what controllers derive: status of workloads and the EndpointSlices."""
        for work in self._workloads:
            self._status(work)
        pods = [o for o in self.objects if o["kind"] == "Pod"]
        for service, selector in self._services:
            self._slice(service, selector, pods)
        return self.objects

    def _status(self, work: Workload) -> None:
        object, kind = work.object, work.object["kind"]
        present = [
            p
            for p in work.pods
            if p in self.objects
            and p["status"]["phase"] in ("Running", "Pending")
            and "deletionTimestamp" not in p["metadata"]
        ]
        ready = sum(is_ready(p) for p in present)
        generation = object["metadata"]["generation"]
        status = object.setdefault("status", {})
        status["observedGeneration"] = generation
        broke = max(
            (
                c["lastTransitionTime"]
                for p in present
                if not is_ready(p)
                for c in p["status"]["conditions"]
                if c["type"] in ("Ready", "PodScheduled")
            ),
            default=None,
        )
        if kind == "DaemonSet":
            wanted = len(work.pods)
            status.update(
                desiredNumberScheduled=wanted,
                currentNumberScheduled=wanted,
                numberReady=ready,
                numberAvailable=ready,
                updatedNumberScheduled=wanted,
                numberMisscheduled=0,
            )
            if ready < wanted:
                status["numberUnavailable"] = wanted - ready
        elif kind == "StatefulSet":
            status.update(
                replicas=len(present),
                readyReplicas=ready,
                availableReplicas=ready,
                currentReplicas=len(present),
                updatedReplicas=len(present),
            )
        else:
            wanted = object["spec"]["replicas"]
            available = "True" if ready >= wanted * 0.75 else "False"
            born = object["metadata"]["creationTimestamp"]
            status.update(
                replicas=len(present),
                readyReplicas=ready,
                availableReplicas=ready,
                updatedReplicas=len(present),
            )
            if ready < wanted:
                status["unavailableReplicas"] = wanted - ready
            status.setdefault(
                "conditions",
                [
                    {
                        "type": "Available",
                        "status": available,
                        "reason": "MinimumReplicasAvailable"
                        if available == "True"
                        else "MinimumReplicasUnavailable",
                        "message": f"Deployment {'has' if available == 'True' else 'does not have'} minimum availability.",
                        "lastTransitionTime": born if available == "True" else broke or born,
                        "lastUpdateTime": broke or born,
                    },
                    {
                        "type": "Progressing",
                        "status": "True",
                        "reason": "NewReplicaSetAvailable",
                        "message": "ReplicaSet has successfully progressed.",
                        "lastTransitionTime": born,
                        "lastUpdateTime": work.sets[-1]["metadata"]["creationTimestamp"]
                        if work.sets
                        else born,
                    },
                ],
            )
            for item in work.sets:
                own = [
                    p
                    for p in present
                    if p["metadata"]["ownerReferences"][0]["uid"] == item["metadata"]["uid"]
                ]
                good = sum(is_ready(p) for p in own)
                item.setdefault(
                    "status",
                    {
                        "replicas": len(own),
                        "fullyLabeledReplicas": len(own),
                        "readyReplicas": good,
                        "availableReplicas": good,
                        "observedGeneration": 1,
                    },
                )

    def _slice(self, service: Obj, selector: dict[str, str], pods: list[Obj]) -> None:
        meta = service["metadata"]
        endpoints = []
        for pod in pods:
            labels = pod["metadata"].get("labels", {})
            if pod["metadata"]["namespace"] != meta["namespace"] or any(
                labels.get(k) != v for k, v in selector.items()
            ):
                continue
            if not selector or "podIP" not in pod["status"] or pod["status"]["phase"] != "Running":
                continue
            good = is_ready(pod) and "deletionTimestamp" not in pod["metadata"]
            endpoints.append(
                {
                    "addresses": [pod["status"]["podIP"]],
                    "nodeName": pod["spec"]["nodeName"],
                    "conditions": {
                        "ready": good,
                        "serving": is_ready(pod),
                        "terminating": "deletionTimestamp" in pod["metadata"],
                    },
                    "targetRef": {
                        "kind": "Pod",
                        "name": pod["metadata"]["name"],
                        "namespace": meta["namespace"],
                        "uid": pod["metadata"]["uid"],
                    },
                }
            )
        made = self.add(
            "EndpointSlice",
            f"{meta['name']}-{self.code(5)}",
            meta["namespace"],
            age=seconds(self.now, meta["creationTimestamp"]),
            owner=service,
            labels={
                "kubernetes.io/service-name": meta["name"],
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            },
            manager="kube-controller-manager",
        )
        made.update(
            addressType="IPv4",
            endpoints=endpoints,
            ports=[{"name": "http", "port": 8080, "protocol": "TCP"}],
        )
