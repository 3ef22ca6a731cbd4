"""Rung 3: a control plane and real nodes (containerd, kubelet, kube-proxy) in network namespaces,
with real pods."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.rungs.build import programs
from tests.rungs.cluster import Cluster
from tests.rungs.controlplane import CONTROL_PLANE, viewer
from tests.rungs.enforcement import Enforcement, reject
from tests.rungs.network import API_PORT, CONTROL_PLANE_ADDRESS, Member, Network, build_network
from tests.rungs.programs import cgroups, etcd
from tests.rungs.programs.apiserver import start_apiserver
from tests.rungs.programs.containerd import cni_folder, start_containerd
from tests.rungs.programs.images import BUSYBOX, static_busybox, write_archive
from tests.rungs.programs.kubelet import start_kubelet
from tests.rungs.programs.processes import Process, RungMissing, wait_until
from tests.rungs.workloads import start_workload_controllers

COMMANDS = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "sysctl": "procps",
}
INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
INSTANCES = 1024
"""One lab opens 24 inotify instances, and a kubelet that gets none ends; Linux gives all programs
of a user 128 together."""
PROGRAMS = (*CONTROL_PLANE, "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")


@dataclass(frozen=True, slots=True)
class Lab:
    """A cluster whose nodes are real. `members` are its nodes by name, for commands inside them."""

    cluster: Cluster
    network: Network

    @property
    def members(self) -> dict[str, Member]:
        return {member.name: member for member in self.network.members}

    def reject(self, node: str, *, source: str, target: str) -> AbstractContextManager[Enforcement]:
        """The story's fault: on `node`, connections from pods of namespace `source` to pods of
        namespace `target` are rejected."""
        return reject(
            self.cluster.kubeconfig, self.members[node].namespace, source=source, target=target
        )


def check_machine() -> None:
    """Raise RungMissing with every reason why this machine cannot run nodes."""
    lacks = []
    if sys.platform != "linux":
        raise RungMissing("real nodes need Linux")
    if os.geteuid() != 0:
        lacks.append("root (network namespaces, mounts, cgroups)")
    lacks += [
        f"{command} (package {package})"
        for command, package in COMMANDS.items()
        if shutil.which(command) is None
    ]
    for check in (cni_folder, static_busybox, cgroups.hierarchies):
        try:
            check()
        except RungMissing as missing:
            lacks.append(str(missing))
    if lacks:
        raise RungMissing("missing: " + "; ".join(lacks))


def make_room() -> None:
    """Let several labs run beside each other. It stays so until the machine starts again, like what
    a kubelet sets in the kernel."""
    with suppress(
        OSError
    ):  # not allowed in some containers; then a kubelet may say that it has too many open files
        if int(INOTIFY.read_text()) < INSTANCES:
            INOTIFY.write_text(str(INSTANCES))


@contextmanager
def nodes(
    names: Sequence[str] = ("node-1", "node-2"), *, directory: Path | None = None
) -> Iterator[Lab]:
    """Start the lab and wait until every node is Ready. Raises RungMissing, StartFailed."""
    check_machine()
    make_room()
    binaries = programs(*PROGRAMS)
    with ExitStack() as stack:
        home = directory or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="stanch-lab-"))
        )
        lab = secrets.token_hex(3)
        groups = {name: f"{cgroups.PREFIX}{os.getpid()}-{lab}-{name}" for name in names}
        cgroups.sweep()
        for group in (
            groups.values()
        ):  # before the namespaces, so that they are removed when the last process has ended
            stack.callback(cgroups.remove, group)
            cgroups.create(group)
        network = build_network(stack, home, names)
        enter = network.control_plane.enter
        store, client = etcd.start_etcd(
            stack, binaries["etcd"], home, address=network.host_address, enter=enter
        )
        api = start_apiserver(
            stack,
            binaries["kube-apiserver"],
            home,
            client,
            address=network.host_address,
            port=API_PORT,
            advertised=CONTROL_PLANE_ADDRESS,
            extra_addresses=[CONTROL_PLANE_ADDRESS],
            enter=enter,
        )
        processes: dict[str, Process] = {"etcd": store, "kube-apiserver": api.process}
        processes |= start_workload_controllers(stack, binaries, home, api, enter=enter)
        archive = write_archive(home / "images.tar")
        for member in network.members:
            processes[f"{member.name}-containerd"] = start_containerd(stack, home, member, archive)
            processes |= start_kubelet(
                stack, binaries, home, member, api, f"/{groups[member.name]}"
            )
        cluster = Cluster(
            "nodes",
            api.kubeconfig,
            home,
            viewer=viewer(home, api),
            processes=processes,
            store=client,
            images=(BUSYBOX,),
        )
        _wait_ready(cluster, names, processes)
        yield Lab(cluster, network)


def _wait_ready(cluster: Cluster, names: Sequence[str], processes: dict[str, Process]) -> None:
    with cluster.client() as http:
        for name in names:

            def ready(name: str = name) -> bool:
                answer = http.get(f"/api/v1/nodes/{name}")
                if answer.status_code == httpx.codes.NOT_FOUND:
                    return False
                conditions = {
                    entry["type"]: entry["status"]
                    for entry in answer.json()["status"].get("conditions", [])
                }
                return conditions.get("Ready") == "True"

            wait_until(ready, f"node {name} Ready", process=processes[f"{name}-kubelet"], limit=90)
