"""containerd for one node of the lab, from the distribution's package."""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack
from pathlib import Path

from tests.rungs.network import Member
from tests.rungs.programs.images import PAUSE
from tests.rungs.programs.processes import Process, RungMissing, StartFailed, start, wait_until

CNI_FOLDERS = ("/usr/lib/cni", "/opt/cni/bin")
SOCKET = "/run/containerd/containerd.sock"

_CONFIG = """\
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  # Without CAP_SYS_RESOURCE a sandbox cannot lower its score and fails with "can't get final child's PID from pipe: EOF".
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni}"
    conf_dir = "{networks}"
"""


def cni_folder() -> str:
    """Where the standard CNI plug-ins are. Raises RungMissing."""
    for folder in CNI_FOLDERS:
        if Path(folder, "bridge").exists() and Path(folder, "host-local").exists():
            return folder
    raise RungMissing(
        "the CNI plug-ins bridge and host-local are missing; install containernetworking-plugins"
    )


def start_containerd(stack: ExitStack, directory: Path, member: Member, archive: Path) -> Process:
    """Start containerd in the node's namespaces and import the images of `archive`."""
    home = directory / member.name
    networks = home / "cni"
    networks.mkdir(parents=True)
    config = home / "containerd.toml"
    config.write_text(
        _CONFIG.format(socket=SOCKET, pause=PAUSE, cni=cni_folder(), networks=networks)
    )
    (networks / "10-lab.conflist").write_text(json.dumps(_network(member)))
    enter = member.namespace.enter
    process = start(
        stack,
        f"{member.name}-containerd",
        ["containerd", "--config", config],
        directory,
        enter=enter,
        grace=5,
    )

    def imported() -> bool:
        try:
            member.namespace.run(
                "ctr",
                "--address",
                SOCKET,
                "--namespace",
                "k8s.io",
                "images",
                "import",
                str(archive),
            )
        except OSError as problem:
            raise StartFailed(f"ctr cannot be run: {problem}") from problem
        except (
            subprocess.CalledProcessError
        ):  # not up yet; wait_until reports the log when it stays so
            return False
        return True

    wait_until(imported, f"containerd on {member.name} with its images", process=process, limit=90)
    return process


def _network(member: Member) -> dict[str, object]:
    return {
        "cniVersion": "0.4.0",
        "name": "lab",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": True,
                "ipMasq": False,  # a policy on another node must see the pod's own address
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": member.pod_range}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                    "dataDir": "/run/cni",
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }
