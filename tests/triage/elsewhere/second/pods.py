"""Pods, as scheduler and kubelet leave them, and what befalls a pod."""

from __future__ import annotations

import copy
import hashlib

from tests.triage.elsewhere.second.objects import H, Obj, Objects


class Pods(Objects):
    """Objects with pods."""

    def template(
        self,
        app: str,
        image: str,
        *,
        cpu: str | None = "100m",
        memory: str | None = "256Mi",
        cpu_limit: str | None = None,
        memory_limit: str | None = "512Mi",
        probe: bool = True,
        spec: Obj | None = None,
        container: Obj | None = None,
        labels: dict[str, str] | None = None,
    ) -> Obj:
        resources: Obj = {}
        requests = {k: v for k, v in (("cpu", cpu), ("memory", memory)) if v}
        limits = {k: v for k, v in (("cpu", cpu_limit), ("memory", memory_limit)) if v}
        if requests:
            resources["requests"] = requests
        if limits:
            resources["limits"] = limits
        one: Obj = {
            "name": app,
            "image": image,
            "imagePullPolicy": "IfNotPresent",
            "resources": resources,
            "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
            "terminationMessagePath": "/dev/termination-log",
        }
        if probe:
            one["readinessProbe"] = {
                "httpGet": {"path": "/healthz", "port": "http", "scheme": "HTTP"},
                "periodSeconds": 10,
                "timeoutSeconds": 1,
                "failureThreshold": 3,
                "successThreshold": 1,
            }
            one["lifecycle"] = {"preStop": {"exec": {"command": ["sleep", "10"]}}}
        one.update(container or {})
        return {
            "metadata": {"labels": {"app.kubernetes.io/name": app, **(labels or {})}},
            "spec": {
                "containers": [one],
                "restartPolicy": "Always",
                "dnsPolicy": "ClusterFirst",
                "serviceAccountName": "default",
                "terminationGracePeriodSeconds": 30,
                "schedulerName": "default-scheduler",
                "securityContext": {},
                **(spec or {}),
            },
        }

    def pod(
        self,
        name: str,
        namespace: str,
        template: Obj,
        node: str | None,
        *,
        age: float,
        owner: Obj | None = None,
        labels: dict[str, str] | None = None,
        digest: str | None = None,
    ) -> Obj:
        spec = copy.deepcopy(template["spec"])
        spec["tolerations"] = [
            *spec.get("tolerations", []),
            *(
                {
                    "key": f"node.kubernetes.io/{k}",
                    "operator": "Exists",
                    "effect": "NoExecute",
                    "tolerationSeconds": 300,
                }
                for k in ("not-ready", "unreachable")
            ),
        ]
        made = self.add(
            "Pod",
            name,
            namespace,
            age=age,
            owner=owner,
            manager="kube-controller-manager",
            labels={**template["metadata"]["labels"], **(labels or {})},
        )
        made["spec"] = spec
        if node is None:
            made["status"] = {"phase": "Pending", "qosClass": "Burstable", "conditions": []}
            return made
        spec["nodeName"] = node
        self._pod_ip += 1
        address = f"{self.pod_net}.{self._pod_ip // 240}.{self._pod_ip % 240 + 2}"
        started = max(age - 4, 1)
        made["status"] = {
            "phase": "Running",
            "qosClass": "Burstable",
            "hostIP": "10.20.0.9",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "startTime": self.at(age),
            "conditions": [
                {
                    "type": kind,
                    "status": "True",
                    "lastProbeTime": None,
                    "lastTransitionTime": self.at(when),
                }
                for kind, when in (
                    ("PodReadyToStartContainers", started),
                    ("Initialized", age),
                    ("Ready", max(age - 9, 1)),
                    ("ContainersReady", max(age - 9, 1)),
                    ("PodScheduled", age),
                )
            ],
            "containerStatuses": [
                {
                    "name": c["name"],
                    "image": c["image"],
                    "ready": True,
                    "started": True,
                    "restartCount": 0,
                    "lastState": {},
                    "imageID": f"{c['image'].rsplit(':', 1)[0]}@sha256:{digest or hashlib.sha256(c['image'].encode()).hexdigest()}",
                    "containerID": f"containerd://{self.rng.getrandbits(256):064x}",
                    "state": {"running": {"startedAt": self.at(started)}},
                }
                for c in spec["containers"]
            ],
        }
        made["metadata"]["managedFields"].append(
            self.managed(
                "v1",
                "kubelet",
                max(age - 9, 1),
                {"f:status": {"f:conditions": {}, "f:containerStatuses": {}}},
                status=True,
            )
        )
        return made

    def ready(
        self,
        pod: Obj,
        value: bool,
        since: float,
        *,
        keep_containers: bool = False,
        reason: str | None = "ContainersNotReady",
    ) -> None:
        for item in pod["status"].get("conditions", []):
            if item["type"] == "Ready" or (
                item["type"] == "ContainersReady" and not keep_containers
            ):
                item.update(status=str(value), lastTransitionTime=self.at(since))
                if not value and reason and not keep_containers:
                    names = " ".join(c["name"] for c in pod["spec"]["containers"])
                    item.update(reason=reason, message=f"containers with unready status: [{names}]")
        if not keep_containers:
            for status in pod["status"].get("containerStatuses", []):
                status["ready"] = value

    def waiting(
        self, pod: Obj, reason: str, message: str, since: float, *, sandbox: bool = True
    ) -> None:
        """The containers wait and never ran in this pod."""
        pod["status"]["phase"] = "Pending"
        if not sandbox:
            for key in ("podIP", "podIPs"):
                pod["status"].pop(key, None)
            for item in pod["status"]["conditions"]:
                if item["type"] == "PodReadyToStartContainers":
                    item["status"] = "False"
        for status in pod["status"]["containerStatuses"]:
            status.update(
                ready=False,
                started=False,
                state={"waiting": {"reason": reason, **({"message": message} if message else {})}},
                imageID="",
            )
            status.pop("containerID", None)
        self.ready(pod, False, since)

    def died(
        self,
        pod: Obj,
        ago: float,
        *,
        reason: str = "Error",
        code: int = 1,
        restarts: int = 1,
        ran: float = 5 * H,
        looping: bool = False,
        message: str | None = None,
        back: float = 3,
    ) -> None:
        """The last run of the first container ended ``ago``; it runs again, or waits for the next
        attempt."""
        name = pod["metadata"]["name"]
        status = pod["status"]["containerStatuses"][0]
        status["restartCount"] = restarts
        end: Obj = {
            "exitCode": code,
            "reason": reason,
            "startedAt": self.at(ago + ran),
            "finishedAt": self.at(ago),
            "containerID": f"containerd://{self.rng.getrandbits(256):064x}",
        }
        if message:
            end["message"] = message
        status["lastState"] = {"terminated": end}
        if looping:
            status.update(ready=False, started=False)
            status["state"] = {
                "waiting": {
                    "reason": "CrashLoopBackOff",
                    "message": f"back-off 5m0s restarting failed container={status['name']} "
                    f"pod={name}_{pod['metadata']['namespace']}({pod['metadata']['uid']})",
                }
            }
            self.ready(pod, False, ago)
            self.event(
                pod,
                "BackOff",
                f"Back-off restarting failed container {status['name']} in pod "
                f"{name}_{pod['metadata']['namespace']}({pod['metadata']['uid']})",
                min(ago, 20),
                first=ago + 60,
                count=restarts * 4,
            )
        else:
            again = max(ago - back, 0.5)
            status["state"] = {"running": {"startedAt": self.at(again)}}
            self.ready(pod, True, max(again - 6, 0.5))

    def pending(self, pod: Obj, why: str, since: float, *, last: float = 15) -> None:
        """The scheduler finds no node for it."""
        pod["spec"].pop("nodeName", None)
        pod["status"] = {
            "phase": "Pending",
            "qosClass": "Burstable",
            "conditions": [
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "reason": "Unschedulable",
                    "message": why,
                    "lastProbeTime": None,
                    "lastTransitionTime": self.at(since),
                }
            ],
        }
        self.event(
            pod,
            "FailedScheduling",
            why,
            last,
            first=since,
            count=max(2, int(since // 300)),
            source="default-scheduler",
            modern=True,
        )

    def terminating(self, pod: Obj, ago: float, grace: int = 30) -> None:
        pod["metadata"]["deletionTimestamp"] = self.at(ago - grace)
        pod["metadata"]["deletionGracePeriodSeconds"] = grace

    def succeeded(self, pod: Obj, ago: float, *, failed: bool = False, ran: float = 40) -> None:
        end = {
            "exitCode": 1 if failed else 0,
            "reason": "Error" if failed else "Completed",
            "startedAt": self.at(ago + ran),
            "finishedAt": self.at(ago),
        }
        pod["status"]["phase"] = "Failed" if failed else "Succeeded"
        for status in pod["status"]["containerStatuses"]:
            status.update(ready=False, started=False, state={"terminated": end})
        self.ready(pod, False, ago, reason=None)
        for item in pod["status"]["conditions"]:
            if item["type"] in ("Ready", "ContainersReady"):
                item["reason"] = "PodFailed" if failed else "PodCompleted"

    def evicted(self, pod: Obj, ago: float, message: str) -> None:
        for key in ("containerStatuses", "podIP", "podIPs"):
            pod["status"].pop(key, None)
        pod["status"].update(
            phase="Failed",
            reason="Evicted",
            message=message,
            conditions=[
                {
                    "type": "DisruptionTarget",
                    "status": "True",
                    "reason": "TerminationByKubelet",
                    "message": message,
                    "lastTransitionTime": self.at(ago),
                }
            ],
        )
        self.event(pod, "Evicted", message, ago)
