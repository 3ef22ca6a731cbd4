"""Situations of the pod network: not there yet, out of addresses, another build on one node."""

from __future__ import annotations

from datetime import datetime

from tests.triage.elsewhere import flavours
from tests.triage.elsewhere.case import Truth, case
from tests.triage.elsewhere.objects import container, digest
from tests.triage.elsewhere.trouble import (
    CNI_OFF,
    deployments,
    name_of,
    no_address,
    stuck,
)
from tests.triage.elsewhere.world import World


@case("cni-not-ready-on-new-node")
def calico_not_up_on_new_nodes(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kubeadm(now, n=10, minor=29, pods=150, cni="calico")
    fresh = [
        w.node(
            f"srv{70 + k}.dc2.corp.example",
            w.ago(26 - k),
            kubelet="v1.29.4",
            kernel="5.15.0-113-generic",
            os="Ubuntu 22.04.4 LTS",
            runtime="containerd://1.6.32",
            manager="kubeadm",
        )
        for k in range(2)
    ]
    agents = [x for x in w.workloads if x.name in ("calico-node", "kube-proxy", "node-exporter")]
    first = w.ago(25)
    for node in fresh:
        for one in agents:
            pod = w.pod(one, node, w.ago(25.5))
            if fault and one.name == "calico-node":
                w.unhealthy(
                    pod,
                    w.ago(24),
                    "calico/node is not ready: BIRD is not ready: Failed to stat() nodename file: "
                    "stat /var/lib/calico/nodename: no such "
                    "file or directory",
                    count=140,
                )
    for number, one in enumerate(
        [x for x in w.workloads if x.kind == "Deployment" and x.namespace in ("erp", "hr", "lab")][
            :7
        ]
    ):
        pod = w.pod(one, fresh[number % 2], w.ago(20 - number))
        if fault:
            w.waiting(pod, w.ago(20 - number), "ContainerCreating", sandbox=False)
            w.event(
                pod,
                "FailedCreatePodSandBox",
                "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup "
                'network for sandbox "91ad": plugin '
                'type="calico" failed (add): stat /var/lib/calico/nodename: no such file or '
                "directory: check that the calico/node container is running and has "
                "mounted /var/lib/calico/",
                w.ago(0.4),
                first=w.ago(19.8 - number),
                count=80,
            )
    return w, Truth(
        first,
        (
            ("node", name_of(fresh[0])),
            ("node", name_of(fresh[1])),
            ("node created after", ""),
            ("created after", ""),
        ),
    )


@case("cni-not-ready-on-new-node")
def pods_before_network_on_scaled_up_nodes(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.eks(now, n=20, minor=30, pods=260)
    sample = w.nodes[1]
    labels = {k: v for k, v in sample["metadata"]["labels"].items() if "hostname" not in k}
    fresh = [
        w.node(
            f"ip-10-32-{200 + k}-9.eu-west-1.compute.internal",
            w.ago(11 - k * 0.5),
            kubelet="v1.30.6-eks-1552ad0",
            kernel="5.10.219-208.866.amzn2.x86_64",
            os="Amazon Linux 2",
            runtime="containerd://1.7.11",
            labels=labels,
        )
        for k in range(3)
    ]
    for node in fresh:
        for one in [
            x
            for x in w.workloads
            if x.name in ("aws-node", "kube-proxy", "ebs-csi-node", "fluent-bit")
        ]:
            pod = w.pod(one, node, w.ago(10.5))
            if fault and one.name == "aws-node":
                w.crash_loop(pod, w.ago(10), code=1, times=5)
        if fault:
            w.ready(
                node,
                "False",
                datetime.fromisoformat(node["metadata"]["creationTimestamp"]),
                CNI_OFF,
                event=False,
            )
            for number, one in enumerate(
                [x for x in w.workloads if x.kind == "Deployment" and x.namespace == "search"][:2]
            ):
                pod = w.pod(one, node, w.ago(9 - number))
                w.waiting(pod, w.ago(9 - number), "ContainerCreating", sandbox=False)
                w.event(
                    pod,
                    "NetworkNotReady",
                    f"network is not ready: {CNI_OFF}",
                    w.ago(0.2),
                    first=w.ago(9 - number),
                    count=200,
                )
    return w, Truth(w.ago(11), (("node created after", ""),))


@case("cni-not-ready-on-new-node")
def flannel_has_no_subnet_yet(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kubeadm(now, n=10, minor=28, pods=140, cni="flannel")
    node = w.node(
        "srv99.dc2.corp.example",
        w.ago(16),
        kubelet="v1.28.4",
        kernel="5.15.0-113-generic",
        os="Ubuntu 22.04.4 LTS",
        runtime="containerd://1.6.32",
    )
    for one in [x for x in w.workloads if x.kind == "DaemonSet"]:
        pod = w.pod(one, node, w.ago(15.8))
        if fault and one.name == "kube-flannel-ds":
            w.waiting(pod, w.ago(15.8), "PodInitializing")
    if fault:
        stuck(
            w,
            deployments(w, "erp", "hr", "intranet")[:5],
            node,
            14,
            'plugin type="flannel" failed (add): loadFlannelSubnetEnv failed: open '
            "/run/flannel/subnet.env: no such file or directory",
        )
    return w, Truth(w.ago(16), (("node", name_of(node)),))


@case("cni-not-ready-on-new-node")
def cilium_agent_not_listening(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kops(now, n=12, pods=170)
    zone = {
        "topology.kubernetes.io/zone": "us-east-1a",
        "kops.k8s.io/instancegroup": "nodes-us-east-1a",
        "node.kubernetes.io/instance-type": "m5.xlarge",
    }
    fresh = [
        w.node(
            f"i-0f{digest(str(k))[7:22]}",
            w.ago(13 - k),
            kubelet="v1.26.15",
            kernel="5.15.0-1061-aws",
            os="Ubuntu 22.04.4 LTS",
            runtime="containerd://1.6.28",
            labels=zone,
        )
        for k in range(2)
    ]
    for node in fresh:
        for one in [x for x in w.workloads if x.kind == "DaemonSet"]:
            pod = w.pod(one, node, w.ago(12))
            if fault and one.name == "cilium":
                w.waiting(pod, w.ago(12), "PodInitializing")
        if fault:
            stuck(
                w,
                deployments(w, "identity", "bids", "feed", "ops")[fresh.index(node) * 4 :][:4],
                node,
                11,
                'plugin type="cilium-cni" failed (add): unable to connect to '
                "Cilium daemon: failed to create cilium agent client after 30.000000 seconds "
                'timeout: Get "http:///var/run/cilium/cilium.sock/v1/config": dial unix '
                "/var/run/cilium/cilium.sock: connect: no such file or directory",
            )
    return w, Truth(w.ago(12), (("node created after", ""), ("created after", "")))


@case("network-policy-cni-version-skew", slack=30)
def policy_agent_of_another_build(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kubeadm(now, n=11, minor=26, pods=160, cni="weave")
    late = w.node(
        "10.8.44.61",
        w.ago(47),
        kubelet="v1.26.4",
        kernel="5.15.0-113-generic",
        os="Ubuntu 22.04.4 LTS",
        runtime="containerd://1.6.32",
        manager="kubeadm",
    )
    image = "docker.io/weaveworks/weave-npc:latest"
    policy = flavours.daemon(w, "kube-system", "weave-npc", image, nodes=w.nodes)
    for one in [x for x in w.workloads if x.name in ("weave-net", "kube-proxy", "node-exporter")]:
        w.pod(one, late, w.ago(46))
    if fault:
        pod = policy.pods[-1]
        pod["status"]["containerStatuses"][0]["imageID"] = (
            f"docker.io/weaveworks/weave-npc@{digest('a newer one')}"
        )
    for one in [x for x in w.workloads if x.kind == "Deployment" and x.namespace in ("erp", "hr")][
        :4
    ]:
        w.pod(one, late, w.ago(40))
        one.object["spec"]["replicas"] += 1
        one.parent["spec"]["replicas"] += 1
    for space in ("erp", "hr", "lab"):
        w.add(
            "NetworkPolicy",
            space,
            "default-deny",
            w.ago(days=100),
            by="kubectl-client-side-apply",
            spec={
                "podSelector": {},
                "policyTypes": ["Ingress"],
                "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"team": space}}}]}],
            },
        )
    return w, Truth(w.ago(47), (("node", name_of(late)),))


@case("network-policy-cni-version-skew", slack=30)
def rebooted_node_pulled_a_newer_router(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kops(now, n=9, pods=120)
    agent = container("kube-router", "docker.io/cloudnativelabs/kube-router", limit="")
    agent["imagePullPolicy"] = "Always"
    router = flavours.daemon(w, "kube-system", "kube-router", "", containers=[agent])
    node = w.nodes[7]
    at = w.ago(38)
    w.event(
        node,
        "Rebooted",
        f"Node {name_of(node)} has been rebooted, boot id: {digest('again')[7:43]}",
        at,
    )
    pod = next(p for p in router.pods if p["spec"]["nodeName"] == name_of(node))
    w.restarted(pod, at, code=255, reason="Unknown")
    if fault:
        pod["status"]["containerStatuses"][0]["imageID"] = (
            f"docker.io/cloudnativelabs/kube-router@{digest('newer')}"
        )
    for space in ("identity", "market"):
        w.add(
            "NetworkPolicy",
            space,
            "same-team",
            w.ago(days=80),
            by="helm",
            spec={
                "podSelector": {},
                "policyTypes": ["Ingress"],
                "ingress": [{"from": [{"podSelector": {}}]}],
            },
        )
    return w, Truth(at, (("node", name_of(node)),))


@case("pod-ip-exhaustion")
def subnet_of_one_zone_is_used_up(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.eks(now, n=15, minor=31, pods=200)
    if fault:
        zone = [
            i
            for i, n in enumerate(w.workers())
            if n["metadata"]["labels"]["topology.kubernetes.io/zone"] == "eu-west-1b"
        ]
        no_address(
            w,
            11,
            'plugin type="aws-cni" name="aws-cni" failed (add): add cmd: failed to assign an IP '
            "address to container",
            zone,
            19,
            ("checkout", "search", "partner-api"),
        )
    return w, Truth(w.ago(19), (("zone", "eu-west-1b"),))


@case("pod-ip-exhaustion")
def cilium_range_of_a_node_is_full(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kops(now, n=10, pods=180)
    if fault:
        no_address(
            w,
            6,
            'plugin type="cilium-cni" failed (add): unable to allocate IP via local cilium agent: '
            "[POST /ipam][502] postIpamFailure  "
            '"No more IPs available"',
            [4],
            14,
            ("identity", "market", "bids", "feed"),
        )
    return w, Truth(w.ago(14), (("node", name_of(w.workers()[4])),))


@case("pod-ip-exhaustion")
def azure_subnet_is_full(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.aks(now, n=13, pods=200)
    if fault:
        stuck(
            w,
            deployments(w, "shopfront", "crm", "reporting")[:9],
            None,
            17,
            'plugin type="azure-vnet" failed (add): IPAM Invoker Add failed with error: Failed to '
            "get "
            "IP address from CNS: http request failed: AllocateIPConfig failed: not enough IPs "
            "available for 2b13, waiting on Azure CNS to allocate more",
        )
    return w, Truth(w.ago(17))


@case("pod-ip-exhaustion")
def calico_blocks_used_up(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kubeadm(now, n=10, minor=30, pods=150)
    if fault:
        stuck(
            w,
            deployments(w, "erp", "hr", "lab")[:7],
            None,
            12,
            'plugin type="calico" failed (add): failed to request IPv4 addresses: Assigned 0 out '
            "of 1 requested IPv4 "
            "addresses; No more free affine blocks and strict affinity enabled",
        )
    return w, Truth(w.ago(12))
