"""Services, EndpointSlices, Ingresses, NetworkPolicies and disruption budgets."""

from __future__ import annotations

from typing import Any

from drills.api.objects import Obj, digest, rfc3339, stable_suffix
from drills.api.world import World, Writer
from drills.scenario.workloads.templates import labels_of


def cluster_ip(world: World, namespace: str, name: str) -> str:
    """An unused address of 10.96.0.0/16 that depends on the name."""
    used = {s["spec"].get("clusterIP") for s in world.of("Service")}
    for attempt in range(1000):
        number = int(digest("clusterip", namespace, name, attempt, size=8), 16)
        address = f"10.96.{1 + number % 190}.{1 + number // 256 % 253}"
        if address not in used:
            return address
    raise ValueError("10.96.0.0/16 has no free address left")


def add_service(world: World, data: dict[str, Any]) -> Obj:
    """data: serviceName, servicePort (80), serviceType, clusterIP, nodePort, externalIP, headless,
    serviceSpec."""
    ns, name = str(data["namespace"]), str(data.get("serviceName", data["name"]))
    existing = world.get("Service", ns, name)
    if existing is not None:
        return existing
    created = world.ago(data.get("age", "41d"))
    headless = bool(data.get("headless"))
    ip = "None" if headless else str(data.get("clusterIP") or cluster_ip(world, ns, name))
    port: Obj = {
        "name": "http",
        "protocol": "TCP",
        "port": int(data.get("servicePort", 80)),
        "targetPort": data.get("targetPort", "http"),
    }
    kind = str(data.get("serviceType", "ClusterIP"))
    ports = [port, *data.get("servicePorts", [])]
    if kind in {"NodePort", "LoadBalancer"}:
        for number, p in enumerate(ports):
            p["nodePort"] = (
                int(data.get("nodePort", 30000 + int(digest("np", ns, name, size=4), 16) % 2700))
                + number
            )
    spec: Obj = {
        "type": kind,
        "selector": labels_of(data),
        "ports": ports,
        "clusterIP": ip,
        "clusterIPs": [ip],
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "internalTrafficPolicy": "Cluster",
        "sessionAffinity": "None",
        **data.get("serviceSpec", {}),
    }
    if kind in {"NodePort", "LoadBalancer"}:
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec["allocateLoadBalancerNodePorts"] = True
    balancer: Obj = {}
    if kind == "LoadBalancer":
        balancer = {"ingress": [{"ip": str(data.get("externalIP", "192.0.2.10")), "ipMode": "VIP"}]}
    return world.add(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": name,
                "namespace": ns,
                "labels": labels_of(data),
                "creationTimestamp": rfc3339(created),
                **(
                    {"annotations": dict(data["serviceAnnotations"])}
                    if data.get("serviceAnnotations")
                    else {}
                ),
                **(
                    {"finalizers": ["service.kubernetes.io/load-balancer-cleanup"]}
                    if kind == "LoadBalancer"
                    else {}
                ),
            },
            "spec": spec,
            "status": {"loadBalancer": balancer},
        },
        Writer(
            str(data.get("by", "argocd-controller")),
            created,
            ("spec", "metadata.labels", "metadata.annotations"),
        ),
        Writer("cloud-controller-manager", created, ("status", "metadata.finalizers"), "status"),
    )


def add_slice(world: World, service: Obj) -> Obj | None:
    """The EndpointSlice of a Service, made empty; `settle` fills it."""
    if not service["spec"].get("selector"):
        return None
    meta = service["metadata"]
    name = f"{meta['name']}-{stable_suffix('slice', meta['namespace'], meta['name'])}"
    found = world.get("EndpointSlice", meta["namespace"], name)
    if found is not None:
        return found
    labels = {
        **meta.get("labels", {}),
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        "kubernetes.io/service-name": meta["name"],
    }
    if service["spec"].get("clusterIP") == "None":
        labels["service.kubernetes.io/headless"] = ""
    return world.add(
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": name,
                "namespace": meta["namespace"],
                "generateName": f"{meta['name']}-",
                "generation": 3,
                "creationTimestamp": meta["creationTimestamp"],
                "labels": labels,
                "annotations": {
                    "endpoints.kubernetes.io/last-change-trigger-time": meta["creationTimestamp"]
                },
                "ownerReferences": [
                    {
                        "apiVersion": "v1",
                        "kind": "Service",
                        "name": meta["name"],
                        "uid": meta["uid"],
                        "controller": True,
                        "blockOwnerDeletion": True,
                    }
                ],
            },
            "addressType": "IPv4",
            "endpoints": [],
            "ports": [],
        },
        Writer("kube-controller-manager", world.ago("1d")),
    )


def add_ingress(world: World, data: dict[str, Any]) -> Obj:
    """data: namespace, name, host, service, port (80), class (nginx), tls (secret), age, by,
    paths."""
    created = world.ago(data.get("age", "41d"))
    host = str(data["host"])
    paths = data.get("paths") or [{"path": "/", "service": data.get("service", data["name"])}]
    spec: Obj = {
        "ingressClassName": data.get("class", "nginx"),
        "rules": [
            {
                "host": host,
                "http": {
                    "paths": [
                        {
                            "path": p["path"],
                            "pathType": "Prefix",
                            "backend": {
                                "service": {
                                    "name": p["service"],
                                    "port": {"number": int(p.get("port", data.get("port", 80)))},
                                }
                            },
                        }
                        for p in paths
                    ]
                },
            }
        ],
    }
    if data.get("tls", True):
        spec["tls"] = [
            {
                "hosts": [host],
                "secretName": data["tls"]
                if isinstance(data.get("tls"), str)
                else f"{data['name']}-tls",
            }
        ]
    return world.add(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {
                "name": data["name"],
                "namespace": data["namespace"],
                "creationTimestamp": rfc3339(created),
                "generation": 1,
                "annotations": dict(
                    data.get("annotations", {"cert-manager.io/cluster-issuer": "letsencrypt"})
                ),
                "labels": {"app.kubernetes.io/name": data["name"]},
            },
            "spec": spec,
            "status": {
                "loadBalancer": {"ingress": [{"ip": str(data.get("address", "192.0.2.10"))}]}
            },
        },
        Writer(str(data.get("by", "argocd-controller")), created, ("spec", "metadata")),
        Writer("nginx-ingress-controller", created, ("status",), "status"),
    )


def add_policy(world: World, data: dict[str, Any]) -> Obj:
    """data: namespace, name, age, by, and the spec's own fields under `spec`."""
    created = world.ago(data.get("age", "58d"))
    return world.add(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {
                "name": data["name"],
                "namespace": data["namespace"],
                "creationTimestamp": rfc3339(created),
                "generation": 1,
            },
            "spec": {"podSelector": {}, "policyTypes": ["Ingress"], **data.get("spec", {})},
        },
        Writer(str(data.get("by", "argocd-controller")), created),
    )


def add_pdb(world: World, data: dict[str, Any]) -> Obj:
    """data: pdb {minAvailable | maxUnavailable}."""
    created = world.ago(data.get("age", "41d"))
    return world.add(
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {
                "name": data["name"],
                "namespace": data["namespace"],
                "creationTimestamp": rfc3339(created),
                "generation": 1,
            },
            "spec": {"selector": {"matchLabels": labels_of(data)}, **data["pdb"]},
            "status": {},
        },
        Writer(str(data.get("by", "argocd-controller")), created, ("spec",)),
        Writer("kube-controller-manager", world.ago("2d"), ("status",), "status"),
    )
