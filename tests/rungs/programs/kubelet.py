"""A real kubelet, with kube-proxy, for one node of the lab."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from tests.rungs.network import API_PORT, CONTROL_PLANE_ADDRESS, Member
from tests.rungs.programs.apiserver import ApiServer
from tests.rungs.programs.containerd import SOCKET
from tests.rungs.programs.kubeconfig import write
from tests.rungs.programs.processes import Process, flags, start

CLUSTER_DNS = "10.96.0.10"


def start_kubelet(
    stack: ExitStack,
    binaries: Mapping[str, Path],
    directory: Path,
    member: Member,
    api: ApiServer,
    cgroup: str,
) -> dict[str, Process]:
    """Start the kubelet and kube-proxy of `member`. `cgroup` is the parent of its pods' cgroups; it
    must exist.

    Returns the processes by the names `NODE-kubelet` and `NODE-kube-proxy`.
    """
    home = directory / member.name
    root = api.authority.root.certificate
    identity = api.authority.issue(member.name, f"system:node:{member.name}", "system:nodes")
    server = f"https://{CONTROL_PLANE_ADDRESS}:{API_PORT}"
    kubeconfig = write(home / "kubelet.kubeconfig", server, root, client=identity)
    config = home / "kubelet.json"
    config.write_text(json.dumps(_configuration(root, cgroup)))
    enter = member.namespace.enter
    settings = {
        "config": config,
        "kubeconfig": kubeconfig,
        "root-dir": "/var/lib/kubelet",
        "cert-dir": "/var/lib/kubelet/pki",
        "hostname-override": member.name,
        "node-ip": member.address,
        # cAdvisor looks at containers every ten seconds and more unless told so: a test of
        # throttling would wait for it.
        "housekeeping-interval": "1s",
        "node-labels": f"topology.kubernetes.io/zone=zone-{member.number}",
    }
    argv: list[str | Path] = [binaries["kubelet"], *flags(settings)]
    kubelet = start(stack, f"{member.name}-kubelet", argv, directory, enter=enter, grace=3)
    proxy_identity = api.authority.issue(f"{member.name}-proxy", "system:kube-proxy")
    proxy_kubeconfig = write(home / "kube-proxy.kubeconfig", server, root, client=proxy_identity)
    proxy_config = home / "kube-proxy.json"
    proxy_config.write_text(json.dumps(_proxy_configuration(proxy_kubeconfig, member)))
    proxy = start(
        stack,
        f"{member.name}-kube-proxy",
        [binaries["kube-proxy"], "--config", proxy_config],
        directory,
        enter=enter,
        grace=3,
    )
    return {f"{member.name}-kubelet": kubelet, f"{member.name}-kube-proxy": proxy}


def _configuration(root: Path, cgroup: str) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "authentication": {
            "x509": {"clientCAFile": str(root)},
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
        },
        "authorization": {"mode": "Webhook"},
        "clusterDNS": [CLUSTER_DNS],
        "clusterDomain": "cluster.local",
        "resolvConf": "",
        # The machine of a test run is rarely a clean node: cgroup v1, swap and a nested file system
        # must not stop it.
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupsPerQOS": False,
        "cgroupRoot": cgroup,
        "enforceNodeAllocatable": [],
        "failSwapOn": False,
        "localStorageCapacityIsolation": False,
        "evictionHard": {},
        "nodeStatusUpdateFrequency": "5s",
        "syncFrequency": "10s",
        "podPidsLimit": 512,
    }


def _proxy_configuration(kubeconfig: Path, member: Member) -> dict[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "hostnameOverride": member.name,
        "mode": "iptables",
        "clusterCIDR": "10.98.0.0/16",
        "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "iptables": {"minSyncPeriod": "0.2s", "syncPeriod": "30s"},
    }
