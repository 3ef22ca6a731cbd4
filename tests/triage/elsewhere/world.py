"""A cluster in the making: what happens to its pods, the Services in front of them, batch work."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from tests.triage.elsewhere.ground import Workload
from tests.triage.elsewhere.objects import (
    Json,
    condition,
    container,
    digest,
    managed,
    pod_spec,
    text,
)
from tests.triage.elsewhere.work import Work

__all__ = ["Workload", "World"]


class World(Work):
    """Nodes, workloads, and what happens to them. `finish.finish` completes it."""

    def _down(self, pod: Json, since: datetime, names: list[str]) -> None:
        message = f"containers with unready status: [{' '.join(names)}]"
        for one in pod["status"]["conditions"]:
            if one["type"] in ("Ready", "ContainersReady"):
                one.update(
                    status="False",
                    lastTransitionTime=text(since),
                    reason="ContainersNotReady",
                    message=message,
                )

    def restarted(
        self,
        pod: Json,
        at: datetime,
        *,
        code: int = 1,
        reason: str = "Error",
        times: int = 1,
        which: int = 0,
        message: str = "",
        ran: float = 0,
    ) -> None:
        """The container ended `at` and runs again (Ready since)."""
        status = pod["status"]["containerStatuses"][which]
        began = at - timedelta(minutes=ran) if ran else self.ago(days=3)
        began = max(began, datetime.fromisoformat(pod["status"]["startTime"])) if not ran else began
        status["restartCount"] += times
        status["lastState"] = {
            "terminated": {
                "exitCode": code,
                "reason": reason,
                "startedAt": text(min(began, at)),
                "finishedAt": text(at),
                "containerID": f"containerd://{digest(status['containerID'])[7:]}",
                **({"message": message} if message else {}),
            }
        }
        status["state"] = {"running": {"startedAt": text(at + timedelta(seconds=2))}}
        for one in pod["status"]["conditions"]:
            if one["type"] in ("Ready", "ContainersReady"):
                one["lastTransitionTime"] = text(at + timedelta(seconds=12))

    def crash_loop(
        self,
        pod: Json,
        since: datetime,
        *,
        code: int = 1,
        reason: str = "Error",
        times: int = 6,
        last: datetime | None = None,
        which: int = 0,
        ran: float = 0.1,
    ) -> None:
        """It fails again and again since `since` and is in back-off now."""
        last = last or self.ago(2)
        self.restarted(pod, last, code=code, reason=reason, times=times, which=which, ran=ran)
        status = pod["status"]["containerStatuses"][which]
        meta = pod["metadata"]
        about = f"{status['name']} in pod {meta['name']}_{meta['namespace']}({meta['uid']})"
        status["state"] = {
            "waiting": {
                "reason": "CrashLoopBackOff",
                "message": f"back-off 2m40s restarting failed container="
                f"{status['name']} pod={meta['name']}_{meta['namespace']}({meta['uid']})",
            }
        }
        status.update(ready=False, started=False)
        self._down(pod, since, [status["name"]])
        self.event(
            pod,
            "BackOff",
            f"Back-off restarting failed container {about}",
            self.ago(0.5),
            first=since,
            count=4 * times,
            path=status["name"],
        )

    def waiting(
        self, pod: Json, since: datetime, reason: str, message: str = "", *, sandbox: bool = True
    ) -> None:
        """Containers never started. `sandbox` False: network or volumes are not there
        (ContainerCreating)."""
        for status in pod["status"]["containerStatuses"]:
            status.update(ready=False, started=False, imageID="", restartCount=0, lastState={})
            status.pop("containerID", None)
            status["state"] = {
                "waiting": {"reason": reason, **({"message": message} if message else {})}
            }
        pod["status"]["phase"] = "Pending"
        self._down(pod, since, [c["name"] for c in pod["spec"]["containers"]])
        for one in pod["status"]["conditions"]:
            if one["type"] == "PodReadyToStartContainers" and not sandbox:
                one.update(status="False", lastTransitionTime=text(since))
        if not sandbox and not pod["spec"].get("hostNetwork"):
            pod["status"].pop("podIP", None)
            pod["status"].pop("podIPs", None)

    def unschedulable(self, of: Workload, since: datetime, message: str, index: int = 0) -> Json:
        pod = self.pod(of, None, since, index=index)
        pod["status"] = {
            "phase": "Pending",
            "qosClass": "Burstable",
            "conditions": [condition("PodScheduled", "False", "Unschedulable", message, since)],
        }
        again = max(1, int((self.now - since).total_seconds() // 300))
        self.event(
            pod,
            "FailedScheduling",
            message,
            self.ago(0.6),
            first=since,
            count=again,
            component="default-scheduler",
        )
        return pod

    def evicted(self, pod: Json, at: datetime, message: str) -> None:
        pod["status"] = {
            "phase": "Failed",
            "reason": "Evicted",
            "message": message,
            "startTime": pod["status"]["startTime"],
            "qosClass": "Burstable",
            "conditions": [
                condition("DisruptionTarget", "True", "TerminationByKubelet", message, at)
            ]
            if self.minor >= 26
            else [],
        }
        self.event(pod, "Evicted", message, at)

    def terminating(self, pod: Json, at: datetime, *, grace: int = 30) -> None:
        pod["metadata"]["deletionTimestamp"] = text(at + timedelta(seconds=grace))
        pod["metadata"]["deletionGracePeriodSeconds"] = grace

    def unhealthy(self, pod: Json, since: datetime, message: str, count: int = 20) -> None:
        """The readiness probe fails; the container goes on running."""
        status = pod["status"]["containerStatuses"][0]
        status["ready"] = False
        self._down(pod, since, [status["name"]])
        self.event(
            pod,
            "Unhealthy",
            f"Readiness probe failed: {message}",
            self.ago(0.2),
            first=since,
            count=count,
            path=status["name"],
        )

    def service(
        self,
        of: Workload,
        *,
        type_: str = "ClusterIP",
        port: int = 80,
        address: str = "",
        name: str = "",
        **spec: Any,
    ) -> Json:
        number = next(self._count)
        cluster_ip = f"172.20.{number // 250}.{1 + number % 250}"
        selector = {
            k: v
            for k, v in of.labels.items()
            if k not in ("pod-template-hash", "controller-revision-hash")
        }
        born = datetime.fromisoformat(of.object["metadata"]["creationTimestamp"])
        status: Json = (
            {"loadBalancer": {"ingress": [{"ip": address}]}} if address else {"loadBalancer": {}}
        )
        found = self.add(
            "Service",
            of.namespace,
            name or of.name,
            born,
            by="helm",
            labels=dict(selector),
            spec={
                "type": type_,
                "selector": selector,
                "clusterIP": cluster_ip,
                "clusterIPs": [cluster_ip],
                "ipFamilies": ["IPv4"],
                "ports": [
                    {
                        "name": "http",
                        "port": port,
                        "protocol": "TCP",
                        "targetPort": 8080,
                        **({"nodePort": 30000 + number % 2700} if type_ != "ClusterIP" else {}),
                    }
                ],
                **spec,
            },
            status=status,
        )
        self.services.append((found, selector))
        return found

    def ingress(
        self,
        namespace: str,
        name: str,
        host: str,
        service: str,
        class_: str,
        address: str = "203.0.113.40",
    ) -> Json:
        return self.add(
            "Ingress",
            namespace,
            name,
            self.ago(days=40),
            by="helm",
            spec={
                "ingressClassName": class_,
                "rules": [
                    {
                        "host": host,
                        "http": {
                            "paths": [
                                {
                                    "path": "/",
                                    "pathType": "Prefix",
                                    "backend": {
                                        "service": {"name": service, "port": {"number": 80}}
                                    },
                                }
                            ]
                        },
                    }
                ],
            },
            status={"loadBalancer": {"ingress": [{"ip": address}]}},
        )

    def secret(
        self,
        namespace: str,
        name: str,
        keys: Iterable[str],
        born: datetime,
        by: str,
        changed: datetime | None = None,
    ) -> Json:
        keys = tuple(keys)
        fields: Json = {"f:type": {}, "f:metadata": {"f:labels": {".": {}, "f:managed": {}}}}
        if keys:
            fields["f:data"] = {".": {}, **{f"f:{k}": {} for k in keys}}
        return self.add(
            "Secret",
            namespace,
            name,
            born,
            type="Opaque",
            labels={"managed": "true"},
            data=dict.fromkeys(keys, "eA=="),
            fields=[managed(by, changed or born, fields)],
        )

    def cron_job(
        self,
        namespace: str,
        name: str,
        schedule: str,
        *,
        policy: str = "Forbid",
        born: datetime | None = None,
        template: Json | None = None,
        **spec: Any,
    ) -> Workload:
        template = template or pod_spec(container("job", f"registry.corp.example/batch/{name}:1.4"))
        template["restartPolicy"] = "Never"
        top = self.add(
            "CronJob",
            namespace,
            name,
            born or self.ago(days=60),
            by="kubectl-client-side-apply",
            spec={
                "schedule": schedule,
                "concurrencyPolicy": policy,
                "suspend": False,
                "successfulJobsHistoryLimit": 3,
                "failedJobsHistoryLimit": 1,
                "jobTemplate": {"spec": {"template": {"spec": template}}},
                **spec,
            },
            status={},
        )
        return Workload("CronJob", namespace, name, top, top, template, {})

    def job(
        self,
        of: Workload,
        at: datetime,
        *,
        node: Json | None = None,
        state: str = "done",
        took: float = 1.2,
    ) -> Json:
        """A run of a CronJob: `done`, `running`, or `pending` (its pod waits for a node)."""
        name = f"{of.name}-{int(at.timestamp() // 60)}"
        labels = {"batch.kubernetes.io/job-name": name, "job-name": name}
        end = at + timedelta(minutes=took)
        status: Json = {"startTime": text(at), "active": 1, "ready": int(state == "running")}
        if state == "done":
            status = {
                "startTime": text(at),
                "completionTime": text(end),
                "succeeded": 1,
                "conditions": [condition("Complete", "True", "", "", end)],
            }
        found = self.add(
            "Job",
            of.namespace,
            name,
            at,
            labels=labels,
            owner=of.object,
            by="kube-controller-manager",
            spec={
                "parallelism": 1,
                "completions": 1,
                "backoffLimit": 6,
                "template": {"metadata": {"labels": labels}, "spec": of.template},
                **(
                    {"activeDeadlineSeconds": 600}
                    if of.object["spec"]["concurrencyPolicy"] == "Forbid"
                    else {}
                ),
            },
            status=status,
        )
        run = Workload("Job", of.namespace, name, found, found, of.template, labels)
        if state == "pending":
            return found
        pod = self.pod(run, node or self.rng.choice(self.workers()), at)
        if state == "done":
            pod["status"]["phase"] = "Succeeded"
            pod["status"]["containerStatuses"][0].update(
                ready=False,
                started=False,
                state={
                    "terminated": {
                        "exitCode": 0,
                        "reason": "Completed",
                        "startedAt": text(at),
                        "finishedAt": text(end),
                    }
                },
            )
            for one in pod["status"]["conditions"]:
                if one["type"] in ("Ready", "ContainersReady"):
                    one.update(status="False", reason="PodCompleted", lastTransitionTime=text(end))
        else:
            of.object["status"].setdefault("active", []).append(
                {
                    "kind": "Job",
                    "namespace": of.namespace,
                    "name": name,
                    "uid": found["metadata"]["uid"],
                    "apiVersion": "batch/v1",
                }
            )
        return found
