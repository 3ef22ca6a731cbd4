"""Faults of the network: plugins, policies, names, addresses, entrances."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.triage.elsewhere.second.ground import cluster
from tests.triage.elsewhere.second.lab import D, H, Lab, M, Obj, Workload
from tests.triage.elsewhere.second.registry import case


@case("network-policy-cni-version-skew", twin=True)
def metal_policy_agent_differs(now: datetime, fault: bool) -> list[Obj]:
    lab, *_ = cluster(
        now,
        "metal-skew",
        "kube-flannel-ds",
        6,
        "public",
        naming="{role}{i}.k8s.uni.example",
        control=3,
        zones=(),
    )
    workers = [n for n in lab.nodes if n["metadata"]["name"].startswith("w")]
    back = workers[5]
    if fault:
        back["metadata"]["creationTimestamp"] = lab.at(3 * H)
    agent = lab.daemonset(
        "kube-system",
        "netpol-agent",
        "registry.uni.example:5000/net/policy-agent:stable",
        age=120 * D,
        memory_limit=None,
        probe=False,
        container={
            "imagePullPolicy": "Always",
            "securityContext": {"capabilities": {"add": ["NET_ADMIN", "NET_RAW"]}},
        },
        spec={
            "volumes": [
                {"name": "lock", "hostPath": {"path": "/run/xtables.lock", "type": "FileOrCreate"}}
            ]
        },
    )
    for pod in agent.pods:
        if pod["spec"]["nodeName"] == back["metadata"]["name"] and fault:
            pod["status"]["containerStatuses"][0]["imageID"] = (
                "registry.uni.example:5000/net/policy-agent@sha256:" + "4e" * 32
            )
            lab.event(
                pod,
                "Pulled",
                'Successfully pulled image "registry.uni.example:5000/net/policy-agent:stable" in '
                "6.1s (6.1s including waiting)",
                50 * M,
                type="Normal",
            )
    for namespace in ("portal", "registry", "idp"):
        lab.add(
            "NetworkPolicy",
            "only-from-edge",
            namespace,
            age=90 * D,
            body={
                "spec": {
                    "podSelector": {},
                    "policyTypes": ["Ingress"],
                    "ingress": [
                        {
                            "from": [
                                {
                                    "namespaceSelector": {
                                        "matchLabels": {"kubernetes.io/metadata.name": "edge"}
                                    }
                                }
                            ]
                        }
                    ],
                }
            },
        )
    return lab.finish()


@case("load-balancer-backends-flapping", silent=True)
def linode_balancer_flaps(now: datetime, fault: bool) -> list[Obj]:
    lab, *_ = cluster(
        now, "lke", "calico-node", 4, "lab", naming="lke41-62-{x}", zones=(), memory_gi=4, cpu=2
    )
    lab.namespace("edge")
    edge = lab.deployment(
        "edge", "haproxy-ingress", "quay.io/jcmoraisjr/haproxy-ingress:v0.14.7", 2, service=False
    )
    front = lab.service(
        "edge",
        "haproxy-ingress",
        edge.object["spec"]["selector"]["matchLabels"],
        type="LoadBalancer",
        spec={
            "externalTrafficPolicy": "Cluster",
            "ports": [
                {
                    "name": "https",
                    "port": 443,
                    "targetPort": "http",
                    "nodePort": 31277,
                    "protocol": "TCP",
                }
            ],
        },
    )
    front["status"] = {"loadBalancer": {"ingress": [{"ip": "203.0.113.77"}]}}
    lab.event(
        front,
        "UpdatedLoadBalancer",
        "Updated load balancer with new hosts",
        3 * M,
        first=55 * M,
        count=18,
        type="Normal",
        source="service-controller",
    )
    return lab.finish()


@case("egress-snat-misconfigured", silent=True)
def eks_pods_cannot_leave(now: datetime, fault: bool) -> list[Obj]:
    lab, parts, _ = cluster(
        now,
        "eks-snat",
        "eks",
        14,
        "bank",
        naming="i-0{x}{i}",
        node_age=16 * H,
        zones=("eu-west-2a", "eu-west-2b"),
    )
    env = [
        {"name": "AWS_VPC_K8S_CNI_EXTERNALSNAT", "value": "false"},
        {"name": "WARM_ENI_TARGET", "value": "1"},
    ]
    for item in (parts["cni"].object["spec"]["template"], *parts["cni"].pods):
        item["spec"]["containers"][0]["env"] = env
    return lab.finish()


@case("dns-latency-ndots", silent=True)
def gke_names_take_five_seconds(now: datetime, fault: bool) -> list[Obj]:
    lab, *_ = cluster(now, "gke-5s", "gke", 20, "games", naming="gke-live-n2-{x}-{i}", scale=2)
    return lab.finish()


@case("coredns-oom", twin=True)
def openshift_dns_out_of_memory(now: datetime, fault: bool) -> list[Obj]:
    lab, parts, apps = cluster(
        now,
        "ocp-dns",
        "openshift",
        6,
        "public",
        naming="{role}-{i}.ocp.example",
        control=3,
        os="Red Hat Enterprise Linux CoreOS 417.94",
        runtime="cri-o://1.30.8-2",
        version="v1.30.7",
    )
    dns = parts["dns"]
    dns.object["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"] = {
        "memory": "120Mi"
    }
    for pod in dns.pods:
        pod["spec"]["containers"][0]["resources"]["limits"] = {"memory": "120Mi"}
    if not fault:
        return lab.finish()
    for i, pod in enumerate(dns.pods):
        lab.died(
            pod,
            (2 + 2 * (i % 3)) * M,
            reason="OOMKilled",
            code=137,
            restarts=4 + i % 2,
            ran=70,
            looping=i % 3 == 0,
        )
    for name in ("frontend", "forms", "api", "keycloak", "search"):
        for pod in apps[name].pods[:2]:
            lab.ready(pod, False, 6 * M + 20)
            lab.event(
                pod,
                "Unhealthy",
                'Readiness probe failed: Get "http://10.244.0.9:8080/healthz": context deadline '
                "exceeded "
                "(Client.Timeout exceeded while awaiting headers)",
                12,
                first=6 * M + 40,
                count=32,
            )
    return lab.finish()


@case("coredns-oom", "k3s_single_dns_pod_dies")
def k3s_single_dns_pod_dies(now: datetime, fault: bool) -> list[Obj]:
    lab, parts, _ = cluster(
        now,
        "k3s-dns",
        "k3s",
        3,
        "lab",
        naming="edge-box-{i}",
        version="v1.30.8+k3s1",
        zones=(),
        cpu=4,
        memory_gi=8,
    )
    lab.died(
        parts["dns"].pods[0], 70, reason="OOMKilled", code=137, restarts=9, ran=110, looping=True
    )
    return lab.finish()


@case("pod-ip-exhaustion", twin=True)
def k3s_range_is_used_up(now: datetime, fault: bool) -> list[Obj]:
    lab, _, apps = cluster(
        now,
        "ippool",
        "calico-node",
        10,
        "bank",
        naming="okd-{role}-{i}",
        control=3,
        version="v1.28.15",
        max_pods=250,
    )
    if not fault:
        return lab.finish()
    for app, how_many in (("postings", 3), ("issuing", 2), ("docscan", 2)):
        for i in range(how_many):
            pod = lab.replica(apps[app].sets[-1], lab.pick(1)[0], (22 - 3 * i) * M)
            lab.waiting(pod, "ContainerCreating", "", (22 - 3 * i) * M, sandbox=False)
            lab.event(
                pod,
                "FailedCreatePodSandBox",
                "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup "
                "network for "
                'sandbox "7ac1": plugin type="calico" failed (add): failed to request IPv4 '
                "addresses: "
                "Assigned 0 out of 1 requested IPv4 addresses; No more free affine blocks and "
                "strict affinity enabled",
                20,
                first=(22 - 3 * i) * M - 4,
                count=60,
            )
            apps[app].pods.append(pod)
            apps[app].object["spec"]["replicas"] += 1
    return lab.finish()


@case("cni-not-ready-on-new-node", twin=True)
def eks_cilium_late_on_new_nodes(now: datetime, fault: bool) -> list[Obj]:
    lab, parts, apps = cluster(
        now,
        "late-cni",
        "cilium",
        24,
        "retail",
        naming="ip-10-9-{i}-77.ec2.internal",
        node_age=12 * D,
        scale=3,
    )
    joined = [
        lab.node(
            f"ip-10-9-{200 + i}-77.ec2.internal", age=(7 + i) * M, zone="bc"[i % 2], pool="general"
        )
        for i in range(3)
    ]
    for node in joined:
        name = node["metadata"]["name"]
        agent = lab.pod(
            f"cilium-{lab.code(5)}",
            "kube-system",
            parts["cni"].object["spec"]["template"],
            name,
            age=6 * M,
            owner=parts["cni"].object,
        )
        parts["cni"].pods.append(agent)
        pods = [lab.replica(apps[app].sets[-1], name, 5 * M) for app in ("web", "picker")]
        for pod, app in zip(pods, ("web", "picker"), strict=True):
            apps[app].pods.append(pod)
            apps[app].object["spec"]["replicas"] += 1
        if not fault:
            continue
        lab.waiting(
            agent,
            "ImagePullBackOff",
            'Back-off pulling image "quay.io/cilium/cilium:v1.16.5"',
            5 * M,
        )
        lab.event(
            agent,
            "Failed",
            'Failed to pull image "quay.io/cilium/cilium:v1.16.5": rpc error: code = Unknown desc '
            "= toomanyrequests",
            80,
            first=6 * M,
            count=4,
        )
        for pod in pods:
            lab.waiting(pod, "ContainerCreating", "", 5 * M, sandbox=False)
            lab.event(
                pod,
                "NetworkNotReady",
                "network is not ready: container runtime network not ready: NetworkReady=false "
                "reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin "
                "not initialized",
                8,
                first=5 * M,
                count=140,
            )
        lab.condition(
            node,
            "Ready",
            "False",
            "KubeletNotReady",
            "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
            "message:Network plugin returns error: cni plugin not initialized",
            6 * M,
        )
        lab.taint(node, "node.kubernetes.io/not-ready", 6 * M)
    return lab.finish()


def _ingress(
    lab: Lab,
    namespace: str,
    name: str,
    image: str,
    replicas: int,
    hosts: dict[str, str],
    **more: Any,
) -> Workload:
    lab.namespace(namespace)
    work = lab.deployment(namespace, name, image, replicas, service=False, **more)
    front = lab.service(
        namespace,
        name,
        work.object["spec"]["selector"]["matchLabels"],
        type="LoadBalancer",
        spec={
            "ports": [
                {
                    "name": "https",
                    "port": 443,
                    "targetPort": "http",
                    "nodePort": 30443,
                    "protocol": "TCP",
                }
            ]
        },
    )
    front["status"] = {"loadBalancer": {"ingress": [{"hostname": "lb-71.example.net"}]}}
    lab.add("IngressClass", name, body={"spec": {"controller": f"example.com/{name}"}})
    for host, target in hosts.items():
        space, service = target.split("/")
        lab.add(
            "Ingress",
            host.split(".")[0],
            space,
            body={
                "spec": {
                    "ingressClassName": name,
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
                "status": {"loadBalancer": {"ingress": [{"hostname": "lb-71.example.net"}]}},
            },
        )
    return work


@case("ingress-controller-oom", twin=True)
def aks_entrance_out_of_memory(now: datetime, fault: bool) -> list[Obj]:
    lab, _, apps = cluster(now, "aks-edge", "aks", 10, "media", naming="aks-web-20811-vmss00000{x}")
    door = _ingress(
        lab,
        "edge-prod",
        "contour-envoy",
        "docker.io/envoyproxy/envoy:distroless-v1.31.5",
        4,
        {
            "play.example.tv": "player/api-edge",
            "ads.example.tv": "player/ads",
            "cms.example.tv": "editorial/cms",
        },
        memory="384Mi",
        memory_limit="512Mi",
    )
    if not fault:
        return lab.finish()
    for i, pod in enumerate(door.pods):
        if i != 2:
            lab.died(
                pod,
                (3 + 2 * i) * M,
                reason="OOMKilled",
                code=137,
                restarts=2 + i,
                ran=6 * M,
                looping=i == 0,
            )
    for pod in apps["images"].pods:
        lab.event(
            pod,
            "Unhealthy",
            'Readiness probe failed: Get "http://10.244.0.31:8080/healthz": context deadline '
            "exceeded",
            30,
            first=20 * M,
            count=44,
        )
    return lab.finish()


@case("ingress-routes-lost-api-server-down", twin=True)
def metal_api_down_and_entrance_restarted(now: datetime, fault: bool) -> list[Obj]:
    lab, *_ = cluster(
        now,
        "metal-routes",
        "cilium",
        9,
        "games",
        naming="{role}-{i}.rz.example",
        control=3,
        zones=("h1", "h2", "h3"),
    )
    door = _ingress(
        lab,
        "gateway",
        "traefik",
        "docker.io/traefik:v3.2.3",
        3,
        {
            "play.example.gg": "match/lobby",
            "chat.example.gg": "live/chat",
            "admin.example.gg": "backoffice/admin",
        },
    )
    if not fault:
        return lab.finish()
    api = [
        p
        for p in lab.objects
        if p["kind"] == "Pod" and p["metadata"]["labels"].get("component") == "kube-apiserver"
    ]
    for i, pod in enumerate(api):
        lab.died(
            pod,
            (16 - i) * M,
            reason="OOMKilled",
            code=137,
            restarts=3,
            ran=3 * M,
            back=40,
            looping=i == 2,
        )
        lab.event(
            pod,
            "Unhealthy",
            "Readiness probe failed: HTTP probe failed with statuscode: 500",
            (6 + i) * M,
            first=19 * M,
            count=30,
        )
    for pod in door.pods:
        lab.died(pod, 13 * M, reason="Error", code=137, restarts=1, ran=11 * D)
        lab.event(
            pod,
            "Killing",
            "Container traefik failed liveness probe, will be restarted",
            13 * M,
            type="Normal",
        )
        lab.ready(pod, True, 12 * M)
    flood = lab.cronjob(
        "backoffice",
        "invoice-tick",
        "registry.example/backoffice/tick:3",
        "* * * * *",
        policy="Forbid",
        last=40,
    )
    lab.job(flood, 40, lab.pick(1)[0])
    return lab.finish()


@case("errors-during-rollout", twin=True)
def gke_requests_lost_while_pods_change(now: datetime, fault: bool) -> list[Obj]:
    lab, *_ = cluster(now, "gke-roll", "gke", 8, "retail", naming="gke-shop-e2-{x}-{i}")
    extra = {"readinessProbe": None, "lifecycle": None} if fault else {}
    shop = lab.deployment(
        "storefront",
        "basket-api",
        "eu.gcr.io/shop/basket-api:3.18.0",
        6,
        age=90 * D,
        rolled=4 * M,
        old_image="eu.gcr.io/shop/basket-api:3.17.2",
        container={k: v for k, v in extra.items() if v},
        probe=not fault,
        spec={"terminationGracePeriodSeconds": 5 if fault else 45},
        pod_ages=[4 * M, 3.5 * M, 3 * M, 2.2 * M, 80, 30],
        manager="kubectl-set",
    )
    old = shop.sets[0]
    going = [lab.replica(old, lab.pick(1)[0], 6 * D) for _ in range(2)]
    for pod in going:
        lab.terminating(pod, 3 if not fault else 4, 5 if fault else 45)
        lab.event(pod, "Killing", "Stopping container basket-api", 4, type="Normal")
        if fault:
            lab.event(
                pod,
                "Unhealthy",
                'Liveness probe failed: Get "http://10.244.1.7:8080/": dial tcp 10.244.1.7:8080: '
                "connect: connection refused",
                4,
            )
    lab.event(
        shop.object,
        "ScalingReplicaSet",
        f"Scaled up replica set {shop.sets[-1]['metadata']['name']} to 2 from 0",
        4 * M,
        type="Normal",
        source="deployment-controller",
    )
    lab.event(
        shop.object,
        "ScalingReplicaSet",
        f"Scaled down replica set {old['metadata']['name']} to 0 from 2",
        5,
        type="Normal",
        source="deployment-controller",
    )
    return lab.finish()
