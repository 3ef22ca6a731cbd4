"""Defaults and checks that the API server applies when an object comes in, as far as drills and
probes need them."""

from __future__ import annotations

import base64
import re
from typing import Any

from drills.api.kinds import Kind
from drills.api.objects import Obj, dig, quantity
from drills.api.problems import invalid

_SUBDOMAIN = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
_PATH_NAME_KINDS = frozenset({"clusterroles", "clusterrolebindings", "roles", "rolebindings"})

NO_EXECUTE_TOLERATIONS: list[Obj] = [
    {
        "key": f"node.kubernetes.io/{k}",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 300,
    }
    for k in ("not-ready", "unreachable")
]


def check(kind: Kind, obj: Obj) -> None:
    """Raises ApiProblem (422) for what every client must expect to be refused."""
    name = str(dig(obj, "metadata", "name", default=""))
    causes: list[tuple[str, str, str]] = []
    if not name:
        causes.append(
            (
                "metadata.name",
                "FieldValueRequired",
                "Required value: name or generateName is required",
            )
        )
    elif kind.plural not in _PATH_NAME_KINDS and (len(name) > 253 or not _SUBDOMAIN.match(name)):
        causes.append(
            (
                "metadata.name",
                "FieldValueInvalid",
                f'Invalid value: "{name}": a lowercase RFC 1123 subdomain '
                "must consist of lower case alphanumeric characters, '-' or '.', and must start "
                "and end with "
                "an alphanumeric character",
            )
        )
    if kind.plural == "pods":
        causes += _pod_causes(obj.get("spec") or {}, "spec")
    elif kind.plural in {"deployments", "replicasets", "daemonsets", "statefulsets"}:
        if not dig(obj, "spec", "selector"):
            causes.append(("spec.selector", "FieldValueRequired", "Required value"))
        causes += _pod_causes(
            dig(obj, "spec", "template", "spec", default={}), "spec.template.spec"
        )
    elif (
        kind.plural == "services"
        and dig(obj, "spec", "type") != "ExternalName"
        and not dig(obj, "spec", "ports")
        and dig(obj, "spec", "clusterIP") != "None"
    ):
        causes.append(("spec.ports", "FieldValueRequired", "Required value"))
    if causes:
        raise invalid(kind, name, causes)


def _pod_causes(spec: Obj, at: str) -> list[tuple[str, str, str]]:
    out: list[tuple[str, str, str]] = []
    if not spec.get("containers"):
        out.append((f"{at}.containers", "FieldValueRequired", "Required value"))
    for number, container in enumerate(spec.get("containers") or []):
        for field in ("name", "image"):
            if not container.get(field):
                out.append(
                    (f"{at}.containers[{number}].{field}", "FieldValueRequired", "Required value")
                )
    return out


def apply_defaults(kind: Kind, obj: Obj) -> None:
    """Fill in what the server would; changes `obj`."""
    if kind.plural == "pods":
        pod_spec(obj.setdefault("spec", {}))
        tolerations = obj["spec"].setdefault("tolerations", [])
        have = {t.get("key") for t in tolerations}
        tolerations.extend(dict(t) for t in NO_EXECUTE_TOLERATIONS if t["key"] not in have)
        obj.setdefault("status", {"phase": "Pending", "qosClass": qos_class(obj["spec"])})
    elif kind.plural in {"deployments", "replicasets", "statefulsets"}:
        obj["spec"].setdefault("replicas", 1)
    if kind.plural in {"deployments", "replicasets", "statefulsets", "daemonsets", "jobs"}:
        pod_spec(obj["spec"].setdefault("template", {}).setdefault("spec", {}))
        obj.setdefault("status", {})
    elif kind.plural == "services":
        obj["spec"].setdefault("type", "ClusterIP")
        obj["spec"].setdefault("sessionAffinity", "None")
        for port in obj["spec"].get("ports") or []:
            port.setdefault("protocol", "TCP")
            port.setdefault("targetPort", port["port"])
        obj.setdefault("status", {"loadBalancer": {}})
    elif kind.plural == "nodes":
        obj.setdefault("spec", {})
        obj.setdefault(
            "status",
            {
                "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
                "nodeInfo": dict.fromkeys(
                    (
                        "machineID",
                        "systemUUID",
                        "bootID",
                        "kernelVersion",
                        "osImage",
                        "containerRuntimeVersion",
                        "kubeletVersion",
                        "kubeProxyVersion",
                        "operatingSystem",
                        "architecture",
                    ),
                    "",
                ),
            },
        )
    elif kind.plural == "namespaces":
        obj.setdefault("spec", {"finalizers": ["kubernetes"]})
        obj.setdefault("status", {"phase": "Active"})
    elif kind.plural == "secrets":
        obj.setdefault("type", "Opaque")
        for key, value in (obj.pop("stringData", None) or {}).items():
            obj.setdefault("data", {})[key] = base64.b64encode(str(value).encode()).decode()


def pod_spec(spec: Obj) -> None:
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    for container in [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]:
        container_defaults(container)


def container_defaults(container: Obj) -> None:
    container.setdefault("resources", {})
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    image = str(container.get("image", ""))
    tagged = "@" in image or (":" in image.rsplit("/", 1)[-1] and not image.endswith(":latest"))
    container.setdefault("imagePullPolicy", "IfNotPresent" if tagged else "Always")
    for port in container.get("ports") or []:
        port.setdefault("protocol", "TCP")


def qos_class(spec: Obj) -> str:
    """Guaranteed, Burstable or BestEffort: k8s.io/kubernetes/pkg/apis/core/v1/helper/qos."""
    containers = [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]
    any_set, guaranteed = False, bool(containers)
    for container in containers:
        resources: dict[str, Any] = container.get("resources") or {}
        requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
        if any(n in {"cpu", "memory"} for n in (*requests, *limits)):
            any_set = True
        for name in ("cpu", "memory"):
            limit = limits.get(name)
            if limit is None or quantity(requests.get(name, limit)) != quantity(limit):
                guaranteed = False
    if guaranteed:
        return "Guaranteed"
    return "Burstable" if any_set else "BestEffort"
