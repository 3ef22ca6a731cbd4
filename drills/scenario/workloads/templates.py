"""From the compact words of a scenario (`image`, `cpu`, `secrets` …) to a pod template."""

from __future__ import annotations

import copy
from typing import Any

from drills.api.objects import Obj
from drills.api.patch import strategic_merge


def labels_of(data: dict[str, Any]) -> dict[str, str]:
    """The selector labels of a workload."""
    return {"app.kubernetes.io/name": str(data["name"]), **data.get("labels", {})}


def pod_template(data: dict[str, Any], revision_image: str | None = None) -> Obj:
    """data: image, port, cpu, memory (requests), cpuLimit, memoryLimit (default: memory), env,
    secretEnv (list of
    `SECRET/KEY`), secretVolumes, configVolumes, emptyDirs, hostPaths, serviceAccount, hostNetwork,
    hostPID, privileged, priorityClass, command, args, probes (false to leave out), grace, preStop,
    nodeSelector, tolerations, spread, spec (merged into the pod spec), sidecars."""
    container = _container(data, revision_image)
    spec: Obj = {"containers": [container, *copy.deepcopy(data.get("sidecars", []))]}
    volumes = _volumes(data, container)
    if volumes:
        spec["volumes"] = volumes
    for word, field in (
        ("serviceAccount", "serviceAccountName"),
        ("hostNetwork", "hostNetwork"),
        ("hostPID", "hostPID"),
        ("priorityClass", "priorityClassName"),
        ("grace", "terminationGracePeriodSeconds"),
        ("nodeSelector", "nodeSelector"),
        ("tolerations", "tolerations"),
        ("dnsConfig", "dnsConfig"),
        ("dnsPolicy", "dnsPolicy"),
    ):
        if word in data:
            spec[field] = copy.deepcopy(data[word])
    if data.get("priorityClass", "").startswith("system-"):
        spec["priority"] = (
            2000001000 if data["priorityClass"] == "system-node-critical" else 2000000000
        )
    if (
        data.get("spread", True)
        and data.get("kind", "Deployment") == "Deployment"
        and int(data.get("replicas", 1)) > 1
    ):
        spec["topologySpreadConstraints"] = [
            {
                "maxSkew": 1,
                "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": labels_of(data)},
            }
        ]
    spec = strategic_merge(spec, copy.deepcopy(data.get("spec", {})))
    meta: Obj = {"labels": {**labels_of(data), **data.get("podLabels", {})}}
    annotations = dict(data.get("podAnnotations", {}))
    if data.get("metricsPort"):
        annotations.update(
            {"prometheus.io/scrape": "true", "prometheus.io/port": str(data["metricsPort"])}
        )
    if annotations:
        meta["annotations"] = annotations
    return {"metadata": meta, "spec": spec}


def _container(data: dict[str, Any], revision_image: str | None) -> Obj:
    image = revision_image or str(data["image"])
    out: Obj = {"name": str(data.get("container", data["name"])), "image": image}
    for word in ("command", "args"):
        if word in data:
            out[word] = list(data[word])
    ports = (
        [{"name": "http", "containerPort": int(data["port"]), "protocol": "TCP"}]
        if data.get("port")
        else []
    )
    if data.get("metricsPort") and data.get("metricsPort") != data.get("port"):
        ports.append(
            {"name": "metrics", "containerPort": int(data["metricsPort"]), "protocol": "TCP"}
        )
    for number, extra in enumerate(data.get("ports", [])):
        ports.append(
            {
                "name": str(extra.get("name", f"port-{number}")),
                "containerPort": int(extra["port"]),
                "protocol": extra.get("protocol", "TCP"),
            }
        )
    if ports:
        out["ports"] = ports
    env: list[Obj] = [{"name": k, "value": str(v)} for k, v in data.get("env", {}).items()]
    for reference in data.get("secretEnv", []):
        secret, key = str(reference).split("/", 1)
        env.append(
            {
                "name": key.upper().replace("-", "_").replace(".", "_"),
                "valueFrom": {"secretKeyRef": {"name": secret, "key": key}},
            }
        )
    if env:
        out["env"] = env
    out["resources"] = _resources(data)
    if data.get("port") and data.get("probes", True):
        probe = {
            "httpGet": {"path": "/healthz", "port": "http", "scheme": "HTTP"},
            "timeoutSeconds": 1,
            "periodSeconds": 10,
            "successThreshold": 1,
            "failureThreshold": 3,
        }
        if data.get("tcpProbe"):
            probe.pop("httpGet")
            probe["tcpSocket"] = {"port": "http"}
        out["readinessProbe"] = probe
        if data.get("liveness", True):
            out["livenessProbe"] = {**copy.deepcopy(probe), "initialDelaySeconds": 15}
    if "preStop" in data:
        out["lifecycle"] = {"preStop": {"exec": {"command": ["sleep", str(data["preStop"])]}}}
    if data.get("privileged"):
        out["securityContext"] = {"privileged": True}
    return out


def _resources(data: dict[str, Any]) -> Obj:
    out: Obj = {}
    requests = {k: str(data[k]) for k in ("cpu", "memory") if data.get(k)}
    limits: dict[str, str] = {}
    if data.get("cpuLimit"):
        limits["cpu"] = str(data["cpuLimit"])
    memory_limit = data.get("memoryLimit", data.get("memory"))
    if memory_limit and memory_limit != "none":
        limits["memory"] = str(memory_limit)
    if limits:
        out["limits"] = limits
    if requests:
        out["requests"] = requests
    return out


def _volumes(data: dict[str, Any], container: Obj) -> list[Obj]:
    volumes: list[Obj] = []
    mounts: list[Obj] = []
    for secret in data.get("secretVolumes", []):
        volumes.append({"name": secret, "secret": {"secretName": secret, "defaultMode": 420}})
        mounts.append({"name": secret, "mountPath": f"/etc/{secret}", "readOnly": True})
    for config in data.get("configVolumes", []):
        volumes.append({"name": config, "configMap": {"name": config, "defaultMode": 420}})
        mounts.append({"name": config, "mountPath": f"/etc/{config}", "readOnly": True})
    for name, path in data.get("emptyDirs", {}).items():
        volumes.append({"name": name, "emptyDir": {}})
        mounts.append({"name": name, "mountPath": path})
    for name, path in data.get("hostPaths", {}).items():
        volumes.append({"name": name, "hostPath": {"path": path, "type": ""}})
        mounts.append({"name": name, "mountPath": path})
    for claim, path in data.get("claims", {}).items():
        volumes.append({"name": claim, "persistentVolumeClaim": {"claimName": claim}})
        mounts.append({"name": claim, "mountPath": path})
    if mounts:
        container["volumeMounts"] = mounts
    return volumes
