"""Services, Ingresses, NetworkPolicies and disruption budgets."""

from __future__ import annotations

from drills.api.managed_fields import FieldManager
from drills.api.objects import Obj, digest
from drills.scenario.config import author
from drills.scenario.workloads.templates import labels_of
from drills.scenario.world import Data, World


def _cluster_ip(world: World, namespace: str, name: str) -> str:
    """An unused address of 10.96.0.0/16 that depends on the name."""
    used = {s["spec"].get("clusterIP") for s in world.of("Service")}
    for attempt in range(1000):
        number = int(digest("clusterip", namespace, name, attempt, size=8), 16)
        address = f"10.96.{1 + number % 190}.{1 + number // 256 % 253}"
        if address not in used:
            return address
    raise ValueError("10.96.0.0/16 has no free address left")


def add_service(world: World, data: Data) -> None:
    """data: serviceName, servicePort (80), serviceType, clusterIP, nodePort, externalIP, headless.
    Does nothing when the Service exists."""
    ns, name = str(data["namespace"]), str(data.get("serviceName", data["name"]))
    if world.get("Service", ns, name) is not None:
        return
    kind = str(data.get("serviceType", "ClusterIP"))
    balancer = kind == "LoadBalancer"
    ip = data.get("clusterIP") or _cluster_ip(world, ns, name)
    ip = "None" if data.get("headless") else str(ip)
    port, target = int(data.get("servicePort", 80)), data.get("targetPort", "http")
    first: Obj = {"name": "http", "protocol": "TCP", "port": port, "targetPort": target}
    ports = [first, *data.get("servicePorts", [])]
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
    }
    if kind in {"NodePort", "LoadBalancer"}:
        lowest = int(data.get("nodePort", 30000 + int(digest("np", ns, name, size=4), 16) % 2700))
        for number, p in enumerate(ports):
            p["nodePort"] = lowest + number
        spec.setdefault("externalTrafficPolicy", "Cluster")
    ingress: Obj = {}
    if balancer:
        spec["allocateLoadBalancerNodePorts"] = True
        ingress = {"ingress": [{"ip": str(data.get("externalIP", "192.0.2.10")), "ipMode": "VIP"}]}
    prefixes = ("spec", "metadata.labels", "metadata.annotations")
    who = author(world, data, *prefixes, age="41d")
    cloud = ("status", "metadata.finalizers")
    cleanup = ["service.kubernetes.io/load-balancer-cleanup"]
    world.make(
        "Service",
        name,
        ns,
        who.at,
        who,
        FieldManager("cloud-controller-manager", who.at, cloud, "status"),
        meta={
            "labels": labels_of(data),
            "finalizers": cleanup if balancer else None,
        },
        spec=spec,
        status={"loadBalancer": ingress},
    )


def add_ingress(world: World, data: Data) -> None:
    """data: namespace, name, host, service, port (80), class (nginx), tls (true, or the Secret's
    name), age, by, paths, annotations, address."""
    name, host = data["name"], str(data["host"])

    def path(row: Data) -> Obj:
        port = {"number": int({"port": 80, **data, **row}["port"])}
        backend = {"service": {"name": row["service"], "port": port}}
        return {"path": row["path"], "pathType": "Prefix", "backend": backend}

    rows = data.get("paths") or [{"path": "/", "service": data.get("service", name)}]
    rule = {"host": host, "http": {"paths": [path(row) for row in rows]}}
    spec: Obj = {"ingressClassName": data.get("class", "nginx"), "rules": [rule]}
    tls = data.get("tls", True)
    if tls:
        secret = tls if isinstance(tls, str) else f"{name}-tls"
        spec["tls"] = [{"hosts": [host], "secretName": secret}]
    who = author(world, data, "spec", "metadata", age="41d")
    issuer = {"cert-manager.io/cluster-issuer": "letsencrypt"}
    world.make(
        "Ingress",
        name,
        data["namespace"],
        who.at,
        who,
        FieldManager("nginx-ingress-controller", who.at, ("status",), "status"),
        meta={
            "generation": 1,
            "annotations": dict(data.get("annotations", issuer)),
            "labels": {"app.kubernetes.io/name": name},
        },
        spec=spec,
        status={"loadBalancer": {"ingress": [{"ip": str(data.get("address", "192.0.2.10"))}]}},
    )


def add_policy(world: World, data: Data) -> None:
    """data: namespace, name, age, by, and the spec's own fields under `spec`."""
    who = author(world, data, age="58d")
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], **data.get("spec", {})}
    name, namespace, meta = data["name"], data["namespace"], {"generation": 1}
    world.make("NetworkPolicy", name, namespace, who.at, who, meta=meta, spec=spec)


def add_budget(world: World, data: Data) -> None:
    """data: pdb {minAvailable | maxUnavailable}."""
    who = author(world, data, "spec", age="41d")
    counts = FieldManager("kube-controller-manager", world.ago("2d"), ("status",), "status")
    world.make(
        "PodDisruptionBudget",
        data["name"],
        data["namespace"],
        who.at,
        who,
        counts,
        meta={"generation": 1},
        spec={"selector": {"matchLabels": labels_of(data)}, **data["pdb"]},
        status={},
    )
