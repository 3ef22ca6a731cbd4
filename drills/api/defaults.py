"""Defaults and checks of the API server for incoming objects, as far as drills and probes need
them."""

from __future__ import annotations

import base64
import re

from drills.api.kinds import ApiResource
from drills.api.objects import Obj, dig, quantity
from drills.api.problems import Cause, invalid

_SUBDOMAIN = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
_PATH_NAMES = frozenset({"clusterroles", "clusterrolebindings", "roles", "rolebindings"})
_SETS = frozenset({"deployments", "replicasets", "daemonsets", "statefulsets"})
_REQUIRED = ("FieldValueRequired", "Required value")
_NODE_INFO = (
    "machineID systemUUID bootID kernelVersion osImage containerRuntimeVersion kubeletVersion "
    "kubeProxyVersion operatingSystem architecture"
)

NO_EXECUTE_TOLERATIONS: list[Obj] = [
    {
        "key": f"node.kubernetes.io/{key}",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 300,
    }
    for key in ("not-ready", "unreachable")
]


def check(kind: ApiResource, obj: Obj) -> None:
    """Raises ApiProblem (422) for objects that the API server refuses as invalid."""
    name = str(dig(obj, "metadata", "name", default=""))
    causes: list[Cause] = []
    if not name:
        required = "Required value: name or generateName is required"
        causes.append(("metadata.name", "FieldValueRequired", required))
    elif kind.plural not in _PATH_NAMES and (len(name) > 253 or not _SUBDOMAIN.match(name)):
        text = (
            f'Invalid value: "{name}": a lowercase RFC 1123 subdomain must consist of lower case '
            "alphanumeric characters, '-' or '.', and must start and end with an alphanumeric "
            "character"
        )
        causes.append(("metadata.name", "FieldValueInvalid", text))
    if kind.plural == "pods":
        causes += _pod_causes(obj.get("spec") or {}, "spec")
    elif kind.plural in _SETS:
        if not dig(obj, "spec", "selector"):
            causes.append(("spec.selector", *_REQUIRED))
        template = dig(obj, "spec", "template", "spec", default={})
        causes += _pod_causes(template, "spec.template.spec")
    elif kind.plural == "services":
        spec = obj.get("spec") or {}
        portless = spec.get("type") == "ExternalName" or spec.get("clusterIP") == "None"
        if not portless and not spec.get("ports"):
            causes.append(("spec.ports", *_REQUIRED))
    if causes:
        raise invalid(kind, name, *causes)


def _pod_causes(spec: Obj, at: str) -> list[Cause]:
    containers = spec.get("containers") or []
    missing = [] if containers else [f"{at}.containers"]
    missing += [
        f"{at}.containers[{number}].{field}"
        for number, container in enumerate(containers)
        for field in ("name", "image")
        if not container.get(field)
    ]
    return [(field, *_REQUIRED) for field in missing]


def apply_defaults(kind: ApiResource, obj: Obj) -> None:
    """Fill in the server's defaults; changes `obj`."""
    plural, spec = kind.plural, obj.get("spec") or {}
    if plural == "pods":
        obj["spec"] = pod_spec(spec)
        tolerations = spec.setdefault("tolerations", [])
        have = {t.get("key") for t in tolerations}
        tolerations.extend(dict(t) for t in NO_EXECUTE_TOLERATIONS if t["key"] not in have)
        obj.setdefault("status", {"phase": "Pending", "qosClass": qos_class(spec)})
    elif plural in _SETS or plural == "jobs":
        if plural in {"deployments", "replicasets", "statefulsets"}:
            spec.setdefault("replicas", 1)
        pod_spec(spec.setdefault("template", {}).setdefault("spec", {}))
        obj.setdefault("status", {})
    elif plural == "services":
        spec.setdefault("type", "ClusterIP")
        spec.setdefault("sessionAffinity", "None")
        for port in spec.get("ports") or []:
            port.setdefault("protocol", "TCP")
            port.setdefault("targetPort", port["port"])
        obj.setdefault("status", {"loadBalancer": {}})
    elif plural == "nodes":
        obj["spec"] = spec
        endpoints = {"kubeletEndpoint": {"Port": 0}}
        info = dict.fromkeys(_NODE_INFO.split(), "")
        obj.setdefault("status", {"daemonEndpoints": endpoints, "nodeInfo": info})
    elif plural == "namespaces":
        obj.setdefault("spec", {"finalizers": ["kubernetes"]})
        obj.setdefault("status", {"phase": "Active"})
    elif plural == "secrets":
        obj.setdefault("type", "Opaque")
        for key, value in (obj.pop("stringData", None) or {}).items():
            obj.setdefault("data", {})[key] = base64.b64encode(str(value).encode()).decode()


def pod_spec(spec: Obj) -> Obj:
    """The same dictionary with the defaults of a pod spec."""
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    for container in _containers(spec):
        container_defaults(container)
    return spec


def _containers(spec: Obj) -> list[Obj]:
    return [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]


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
    any_set, guaranteed = False, bool(_containers(spec))
    for container in _containers(spec):
        resources = container.get("resources") or {}
        requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
        any_set |= bool({"cpu", "memory"} & {*requests, *limits})
        for name in ("cpu", "memory"):
            limit = limits.get(name)
            if limit is None or quantity(requests.get(name, limit)) != quantity(limit):
                guaranteed = False
    return "Guaranteed" if guaranteed else "Burstable" if any_set else "BestEffort"
