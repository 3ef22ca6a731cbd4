"""Nodes and their Leases, and what befalls a node."""

from __future__ import annotations

from tests.triage.elsewhere.second.objects import D, Obj
from tests.triage.elsewhere.second.pods import Pods


class Machines(Pods):
    """Objects with nodes."""

    def node(
        self,
        name: str,
        *,
        age: float = 30 * D,
        zone: str | None = "a",
        pool: str | None = None,
        instance: str = "m5.xlarge",
        cpu: int = 4,
        memory_gi: int = 16,
        kubelet: str | None = None,
        kernel: str = "6.1.112-generic",
        os: str = "Ubuntu 22.04.5 LTS",
        runtime: str = "containerd://1.7.22",
        role: str | None = None,
        labels: dict[str, str] | None = None,
        taints: list[Obj] | None = None,
        lease: bool = True,
        max_pods: int = 110,
    ) -> Obj:
        every = {
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            "node.kubernetes.io/instance-type": instance,
            **(labels or {}),
        }
        if zone:
            every["topology.kubernetes.io/zone"] = zone
        if pool:
            every["pool"] = pool
        if role:
            every[f"node-role.kubernetes.io/{role}"] = ""
        index = len(self.nodes) + 10
        size = {
            "cpu": str(cpu),
            "memory": f"{memory_gi * 1024 * 1024}Ki",
            "pods": str(max_pods),
            "ephemeral-storage": "83873772Ki",
        }
        made = self.add(
            "Node",
            name,
            age=age,
            labels=every,
            manager="kubelet",
            annotations={"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
        )
        made["spec"] = {
            "podCIDR": f"{self.pod_net}.{index}.0/24",
            "providerID": f"cloud:///{name}",
            **({"taints": taints} if taints else {}),
        }
        made["status"] = {
            "capacity": size,
            "allocatable": {
                **size,
                "cpu": f"{cpu * 1000 - 90}m",
                "memory": f"{(memory_gi * 1024 - 1100) * 1024}Ki",
            },
            "addresses": [
                {"type": "InternalIP", "address": f"10.20.{index // 200}.{index % 200 + 5}"},
                {"type": "Hostname", "address": name},
            ],
            "nodeInfo": {
                "machineID": self.code(20),
                "systemUUID": self.uid(),
                "bootID": self.uid(),
                "kernelVersion": kernel,
                "osImage": os,
                "containerRuntimeVersion": runtime,
                "kubeletVersion": kubelet or self.version,
                "kubeProxyVersion": kubelet or self.version,
                "operatingSystem": "linux",
                "architecture": "amd64",
            },
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "conditions": [],
        }
        beat = self.rng.randint(20, 280)
        for kind, reason, text in (
            (
                "MemoryPressure",
                "KubeletHasSufficientMemory",
                "kubelet has sufficient memory available",
            ),
            ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
            ("Ready", "KubeletReady", "kubelet is posting ready status"),
        ):
            status = "True" if kind == "Ready" else "False"
            made["status"]["conditions"].append(
                {
                    "type": kind,
                    "status": status,
                    "reason": reason,
                    "message": text,
                    "lastHeartbeatTime": self.at(beat),
                    "lastTransitionTime": self.at(max(age - 35, 5)),
                }
            )
        made["metadata"]["managedFields"].append(
            self.managed(
                "v1",
                "kubelet",
                beat,
                {"f:status": {"f:conditions": {}, "f:images": {}}},
                status=True,
            )
        )
        self.nodes.append(made)
        if lease:
            self.lease(name, age, self.rng.uniform(1, 9))
        return made

    def lease(self, holder: str, age: float, renewed: float) -> Obj:
        return self.add(
            "Lease",
            holder,
            "kube-node-lease",
            age=age,
            manager="kubelet",
            body={
                "spec": {
                    "holderIdentity": holder,
                    "leaseDurationSeconds": 40,
                    "renewTime": self.micro(renewed),
                }
            },
        )

    def condition(
        self,
        node: Obj,
        kind: str,
        status: str,
        reason: str,
        message: str,
        since: float,
        beat: float | None = None,
    ) -> None:
        conditions = node["status"]["conditions"]
        found = next((c for c in conditions if c["type"] == kind), None)
        if found is None:
            found = {"type": kind}
            conditions.append(found)
        found.update(
            status=status,
            reason=reason,
            message=message,
            lastTransitionTime=self.at(since),
            lastHeartbeatTime=self.at(beat if beat is not None else min(since, 30)),
        )

    def unknown(self, node: Obj, since: float) -> None:
        """The controller has not heard from the kubelet: every condition Unknown, the lease stale,
        the taints set."""
        for kind in ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready"):
            self.condition(
                node,
                kind,
                "Unknown",
                "NodeStatusUnknown",
                "Kubelet stopped posting node status.",
                since,
                since + 45,
            )
        name = node["metadata"]["name"]
        self.taint(node, "node.kubernetes.io/unreachable", since)
        for item in self.objects:
            if item["kind"] == "Lease" and item["metadata"]["name"] == name:
                item["spec"]["renewTime"] = self.micro(since + 42)
        self.event(
            node,
            "NodeNotReady",
            f"Node {name} status is now: NodeNotReady",
            since,
            type="Normal",
            source="node-controller",
        )
        self._pods_not_ready(name, since)

    def not_ready(self, node: Obj, message: str, since: float, *, told: bool = True) -> None:
        """The kubelet itself says that its node is not ready, and why."""
        name = node["metadata"]["name"]
        self.condition(node, "Ready", "False", "KubeletNotReady", message, since)
        self.taint(node, "node.kubernetes.io/not-ready", since)
        if told:
            self.event(
                node,
                "NodeNotReady",
                f"Node {name} status is now: NodeNotReady",
                since,
                type="Normal",
            )
        self._pods_not_ready(name, since)

    def _pods_not_ready(self, node: str, since: float) -> None:
        for pod in self.pods_on(node):
            if pod["status"]["phase"] == "Running":
                self.ready(pod, False, since, keep_containers=True)

    def taint(self, node: Obj, key: str, since: float) -> None:
        for effect in ("NoSchedule", "NoExecute"):
            node["spec"].setdefault("taints", []).append(
                {"key": key, "effect": effect, "timeAdded": self.at(since)}
            )

    def cordon(self, node: Obj, ago: float, manager: str = "kubectl-cordon") -> None:
        node["spec"]["unschedulable"] = True
        node["spec"].setdefault("taints", []).append(
            {
                "key": "node.kubernetes.io/unschedulable",
                "effect": "NoSchedule",
                "timeAdded": self.at(ago),
            }
        )
        node["metadata"]["managedFields"].append(
            self.managed("v1", manager, ago, {"f:spec": {"f:unschedulable": {}}})
        )
        self.event(
            node,
            "NodeNotSchedulable",
            f"Node {node['metadata']['name']} status is now: NodeNotSchedulable",
            ago,
            type="Normal",
        )

    def pods_on(self, node: str) -> list[Obj]:
        return [o for o in self.objects if o["kind"] == "Pod" and o["spec"].get("nodeName") == node]
