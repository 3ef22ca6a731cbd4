"""The network of rung 3: one namespace for the control plane and one for each node, joined by a
bridge.

    host ── veth 10.99.255.x/30 ── control-plane namespace ── bridge lab0 10.99.0.254/24 ─┬─ eth0
    10.99.0.1 node-1 ── cni0 10.98.1.0/24
                                                                                         └─ eth0
                                                                                         10.99.0.2
                                                                                         node-2 ──
                                                                                         cni0
                                                                                         10.98.2.0/24

A namespace lives as long as the process that holds it. A node's holder is process 1 of a PID
namespace with mounts of its own, so when it ends, the kernel ends every process of the node and
removes its mounts and its network, also after a crash of the test run.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.rungs.programs.processes import (
    Process,
    StartFailed,
    children,
    only_child,
    start,
    wait_until,
)

API_PORT = 6443
CONTROL_PLANE_ADDRESS = "10.99.0.254"
# /run holds the container runtime's sockets and network namespaces; the other two hold its data and
# the pods' logs.
_PRIVATE_FOLDERS = ("/run", "/var/lib", "/var/log")


@dataclass(frozen=True, slots=True)
class Namespace:
    """The namespaces of one lab member. `pid` is the holder's, as the host counts."""

    name: str
    pid: int
    whole: bool  # mounts and processes too, not only the network

    @property
    def enter(self) -> tuple[str, ...]:
        """The command prefix for a program that belongs to this member."""
        return (
            "nsenter",
            "--target",
            str(self.pid),
            "--net",
            *(("--mount", "--pid") if self.whole else ()),
            "--",
        )

    def run(self, *argv: str, stdin: str | None = None, limit: float = 30.0) -> str:
        """Run a short command here (network and mounts) and return its output; CalledProcessError
        carries its errors."""
        prefix = (
            "nsenter",
            "--target",
            str(self.pid),
            "--net",
            *(("--mount",) if self.whole else ()),
            "--",
        )
        done = subprocess.run(
            [*prefix, *argv],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
        )
        if done.returncode != 0:
            raise subprocess.CalledProcessError(
                done.returncode, argv, done.stdout, done.stderr.strip()
            )
        return done.stdout


@dataclass(frozen=True, slots=True)
class Member:
    """A node of the lab in its network."""

    name: str
    number: int
    namespace: Namespace

    @property
    def address(self) -> str:
        return f"10.99.0.{self.number}"

    @property
    def pod_range(self) -> str:
        return f"10.98.{self.number}.0/24"


@dataclass(frozen=True, slots=True)
class Network:
    """The lab's network. `host_address` is where the host reaches the control plane."""

    control_plane: Namespace
    host_address: str
    members: tuple[Member, ...]


def build_network(stack: ExitStack, directory: Path, names: Sequence[str]) -> Network:
    """Make the namespaces and join them; `stack` takes them down."""
    middle = _hold(stack, directory, "lab-network", whole=False)
    middle.run("ip", "link", "add", "lab0", "type", "bridge")
    middle.run("ip", "address", "add", f"{CONTROL_PLANE_ADDRESS}/24", "dev", "lab0")
    middle.run("ip", "link", "set", "lab0", "up")
    middle.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    host_address = _join_host(stack, middle)
    members = tuple(
        Member(name, number, _hold(stack, directory, name, whole=True))
        for number, name in enumerate(names, 1)
    )
    for member in members:
        _join_member(member, middle)
    for member in members:
        middle.run("ip", "route", "add", member.pod_range, "via", member.address)
        for other in members:
            if other is not member:
                member.namespace.run("ip", "route", "add", other.pod_range, "via", other.address)
    return Network(middle, host_address, members)


def _hold(stack: ExitStack, directory: Path, name: str, *, whole: bool) -> Namespace:
    marker = directory / f"{name}.ready"
    mounts = (
        "".join(f"mount -t tmpfs -o mode=755 stanch {folder}; " for folder in _PRIVATE_FOLDERS)
        if whole
        else ""
    )
    # The shell waits for whatever is orphaned to it, so process 1 of a node leaves no zombies. The
    # other holder must have no child: that would keep the network when the holder is killed.
    stay = "while :; do sleep 3600; done" if whole else "exec sleep 2147483647"
    script = f"set -e; {mounts}ip link set lo up; : > {marker}; {stay}"
    flags = ["--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"] if whole else []
    holder = start(
        stack,
        f"{name}-holder",
        ["unshare", "--net", *flags, "sh", "-c", script],
        directory,
        grace=1,
    )
    wait_until(marker.exists, f"the namespaces of {name}", process=holder, limit=30)
    if not whole:
        return Namespace(name, holder.pid, whole)
    stack.callback(_end_all, holder)
    return Namespace(name, only_child(holder.popen.pid), whole)


def _end_all(holder: Process) -> None:
    """Kill process 1 of the node: SIGTERM means nothing to it, and the kernel ends the rest of the
    node with it."""
    if holder.popen.poll() is None and children(holder.popen.pid):
        subprocess.run(
            ["kill", "-KILL", str(only_child(holder.popen.pid))], check=False, timeout=10
        )
        holder.popen.wait(20)


def _join_host(stack: ExitStack, middle: Namespace) -> str:
    """Lead from the host into the lab, through the first free block of addresses; of two labs, the
    kernel lets one have its device."""
    taken = subprocess.run(
        ["ip", "-o", "-4", "address"], capture_output=True, text=True, check=True, timeout=10
    ).stdout
    for block in range(0, 256, 4):
        if f"10.99.255.{block + 1}/" in taken:
            continue
        here = f"stanch-lab-{block}"
        made = _try_ip(
            "link", "add", here, "type", "veth", "peer", "name", "host0", "netns", str(middle.pid)
        )
        if made.returncode == 0:
            break
        if "File exists" not in made.stderr:
            raise StartFailed(f"the device {here} cannot be made: {made.stderr.strip()}")
    else:
        raise StartFailed("64 labs run on this machine already; end one of them")
    stack.callback(_try_ip, "link", "delete", here)
    near, far = f"10.99.255.{block + 1}", f"10.99.255.{block + 2}"
    _ip("address", "add", f"{near}/30", "dev", here)
    _ip("link", "set", here, "up")
    middle.run("ip", "address", "add", f"{far}/30", "dev", "host0")
    middle.run("ip", "link", "set", "host0", "up")
    return far


def _join_member(member: Member, middle: Namespace) -> None:
    port = f"port{member.number}"
    inside = member.namespace
    middle.run(
        "ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", str(inside.pid)
    )
    middle.run("ip", "link", "set", port, "master", "lab0", "up")
    inside.run("ip", "address", "add", f"{member.address}/24", "dev", "eth0")
    inside.run("ip", "link", "set", "eth0", "up")
    inside.run("ip", "route", "add", "default", "via", CONTROL_PLANE_ADDRESS)
    inside.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    # Without it, packets between two pods of one node never meet the FORWARD rules.
    inside.run("sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=1")


def _ip(*argv: str) -> None:
    subprocess.run(["ip", *argv], check=True, capture_output=True, timeout=10)


def _try_ip(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *argv], check=False, capture_output=True, text=True, timeout=10)
