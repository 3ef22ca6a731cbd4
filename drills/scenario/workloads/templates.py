"""Expands the short fields of a scenario (`image`, `cpu`, `secrets` …) into a pod template. The
order of fields matters: it decides the template's hash."""

from __future__ import annotations

import copy

from drills.api.objects import Obj
from drills.api.patch import strategic_merge
from drills.scenario.nodes import CONTROL_PLANE
from drills.scenario.world import Data

_SPEC_WORDS = {
    "serviceAccount": "serviceAccountName",
    "hostNetwork": "hostNetwork",
    "hostPID": "hostPID",
    "priorityClass": "priorityClassName",
    "grace": "terminationGracePeriodSeconds",
    "nodeSelector": "nodeSelector",
    "tolerations": "tolerations",
    "dnsConfig": "dnsConfig",
    "dnsPolicy": "dnsPolicy",
}
"""Field of a scenario -> field of the pod's spec."""
_PRIORITY = {"system-node-critical": 2000001000, "system-cluster-critical": 2000000000}


def labels_of(data: Data) -> dict[str, str]:
    """The selector labels of a workload."""
    return {"app.kubernetes.io/name": str(data["name"]), **data.get("labels", {})}


def pod_template(data: Data, image: str | None = None) -> Obj:
    """data: image, port, ports, metricsPort, cpu, memory (requests), cpuLimit, memoryLimit
    (default: memory), env, secretEnv (list of `SECRET/KEY`), secretVolumes, configVolumes,
    emptyDirs, hostPaths, claims, serviceAccount, hostNetwork, hostPID, privileged, priorityClass,
    command, args, probes (false to leave out), tcpProbe, grace, nodeSelector, tolerations, where
    (workers), spread, spec (merged into the pod spec). `image` stands above that of the data."""
    container = _container(data, image or str(data["image"]))
    spec: Obj = {"containers": [container]}
    if volumes := _volumes(data, container):
        spec["volumes"] = volumes
    for word, field in _SPEC_WORDS.items():
        if word in data:
            spec[field] = copy.deepcopy(data[word])
    if priority := _PRIORITY.get(data.get("priorityClass", "")):
        spec["priority"] = priority
    deployment = data.get("kind", "Deployment") == "Deployment"
    if data.get("spread", True) and deployment and int(data.get("replicas", 1)) > 1:
        spec["topologySpreadConstraints"] = [
            {
                "maxSkew": 1,
                "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": labels_of(data)},
            }
        ]
    if data.get("where") == "workers":
        term = {"key": CONTROL_PLANE, "operator": "DoesNotExist"}
        required = {"nodeSelectorTerms": [{"matchExpressions": [term]}]}
        spec["affinity"] = {
            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}
        }
    spec = strategic_merge(spec, copy.deepcopy(data.get("spec", {})))
    meta: Obj = {"labels": labels_of(data)}
    if port := data.get("metricsPort"):
        scrape = {"prometheus.io/scrape": "true", "prometheus.io/port": str(port)}
        meta["annotations"] = scrape
    return {"metadata": meta, "spec": spec}


def _container(data: Data, image: str) -> Obj:
    out: Obj = {"name": str(data.get("container", data["name"])), "image": image}
    for word in ("command", "args"):
        if word in data:
            out[word] = list(data[word])
    if ports := _ports(data):
        out["ports"] = ports
    env: list[Obj] = [{"name": k, "value": str(v)} for k, v in data.get("env", {}).items()]
    for reference in data.get("secretEnv", []):
        secret, key = str(reference).split("/", 1)
        name = key.upper().replace("-", "_").replace(".", "_")
        env.append({"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}})
    if env:
        out["env"] = env
    out["resources"] = _resources(data)
    if data.get("port") and data.get("probes", True):
        out["readinessProbe"] = probe = _probe(data)
        out["livenessProbe"] = {**copy.deepcopy(probe), "initialDelaySeconds": 15}
    if data.get("privileged"):
        out["securityContext"] = {"privileged": True}
    return out


def _ports(data: Data) -> list[Obj]:
    port, metrics = data.get("port"), data.get("metricsPort")
    rows = [("http", port, "TCP")] if port else []
    if metrics and metrics != port:
        rows.append(("metrics", metrics, "TCP"))
    for number, extra in enumerate(data.get("ports", [])):
        name, protocol = str(extra.get("name", f"port-{number}")), extra.get("protocol", "TCP")
        rows.append((name, extra["port"], protocol))
    return [{"name": n, "containerPort": int(p), "protocol": proto} for n, p, proto in rows]


def _probe(data: Data) -> Obj:
    counts = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1}
    counts["failureThreshold"] = 3
    if data.get("tcpProbe"):
        return {**counts, "tcpSocket": {"port": "http"}}
    return {"httpGet": {"path": "/healthz", "port": "http", "scheme": "HTTP"}, **counts}


def _resources(data: Data) -> Obj:
    requests = {k: str(data[k]) for k in ("cpu", "memory") if data.get(k)}
    memory = data.get("memoryLimit", data.get("memory"))
    limits = {"cpu": str(data["cpuLimit"])} if data.get("cpuLimit") else {}
    if memory and memory != "none":
        limits["memory"] = str(memory)
    return {k: v for k, v in (("limits", limits), ("requests", requests)) if v}


def _volumes(data: Data, container: Obj) -> list[Obj]:
    """The volumes of a pod; their mounts are added to the container."""
    volumes: list[Obj] = []
    mounts: list[Obj] = []
    for name in data.get("secretVolumes", []):
        volumes.append({"name": name, "secret": {"secretName": name, "defaultMode": 420}})
        mounts.append({"name": name, "mountPath": f"/etc/{name}", "readOnly": True})
    for name in data.get("configVolumes", []):
        volumes.append({"name": name, "configMap": {"name": name, "defaultMode": 420}})
        mounts.append({"name": name, "mountPath": f"/etc/{name}", "readOnly": True})
    mounted: list[tuple[str, str, Obj]] = [
        *((name, path, {"emptyDir": {}}) for name, path in data.get("emptyDirs", {}).items()),
        *(
            (name, path, {"hostPath": {"path": path, "type": ""}})
            for name, path in data.get("hostPaths", {}).items()
        ),
        *(
            (name, path, {"persistentVolumeClaim": {"claimName": name}})
            for name, path in data.get("claims", {}).items()
        ),
    ]
    for name, path, source in mounted:
        volumes.append({"name": name, **source})
        mounts.append({"name": name, "mountPath": path})
    if mounts:
        container["volumeMounts"] = mounts
    return volumes
