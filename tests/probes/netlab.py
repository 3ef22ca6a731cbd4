"""Three network namespaces in a row (client, router, server), to see what each kind of refusal
looks like to the measuring script.

Each has an IPv4 and an IPv6 address.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SERVER = "10.77.2.2"
ROUTER = "10.77.1.1"
SERVER6 = "fd00:77:2::2"
ROUTER6 = "fd00:77:1::1"

_SERVE = """
import socket, sys, time
def listen(port, backlog):
    s = socket.socket(socket.AF_INET6); s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("::", port)); s.listen(backlog); return s
normal = [listen(int(p), 64) for p in sys.argv[2:]]
slow = listen(int(sys.argv[1]), 0)
fill = []
for _ in range(2):
    c = socket.socket(); c.setblocking(False); c.connect_ex(("127.0.0.1", int(sys.argv[1]))); fill.append(c)
time.sleep(0.2)
print("ready", flush=True)
for line in sys.stdin:
    time.sleep(1.5)
    for _ in range(2):
        slow.accept()
"""


class Missing(Exception):
    """The machine cannot build the laboratory; `str()` says what is missing."""


@dataclass(frozen=True, slots=True)
class NetLab:
    """`tools` is a folder with busybox applets alone."""

    client: str
    router: str
    server: str
    tools: Path
    process: subprocess.Popen[str]

    def rule(self, port: int, *rule: str) -> None:
        """Append a FORWARD rule for TCP to `port` on the router."""
        _run(
            "ip",
            "netns",
            "exec",
            self.router,
            "iptables",
            "-A",
            "FORWARD",
            "-p",
            "tcp",
            "-d",
            SERVER,
            "--dport",
            str(port),
            *rule,
        )

    def rule6(self, port: int, *rule: str) -> None:
        """The same for IPv6."""
        _run(
            "ip",
            "netns",
            "exec",
            self.router,
            "ip6tables",
            "-A",
            "FORWARD",
            "-p",
            "tcp",
            "-d",
            SERVER6,
            "--dport",
            str(port),
            *rule,
        )

    def drain_slow_queue(self) -> None:
        """Let the server with the full accept queue take its connections in 1.5 s."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def measure(self, command: Sequence[str], *, path: str | None = None, shell: str = "") -> str:
        """Standard output of the measuring script, run in the client's namespace; `shell` instead
        of busybox' own, which finds its applets wherever PATH points."""
        program = (
            [sys.executable, *command[1:]]
            if command[0] == "python3"
            else [shell or str(self.tools / "sh"), *command[1:]]
        )
        done = subprocess.run(
            [shutil.which("ip") or "ip", "netns", "exec", self.client, *program],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={"PATH": path or str(self.tools)},
        )
        return done.stdout


@contextmanager
def netlab(folder: Path, *, slow: int, ports: Sequence[int]) -> Iterator[NetLab]:
    """Build it, serve on `ports` and (with a full accept queue) on `slow`; raises `Missing`."""
    if os.geteuid() != 0:
        raise Missing("root")
    for tool in ("ip", "iptables", "ip6tables", "busybox"):
        if shutil.which(tool) is None:
            raise Missing(f"the program {tool}")
    names = [f"stanch-{part}-{os.getpid()}" for part in ("client", "router", "server")]
    client, router, server = names
    tools = folder / "busybox"
    tools.mkdir()
    busybox = shutil.which("busybox") or ""
    for applet in ("sh", "nc", "timeout", "sleep", "date", "true", "nslookup", "dd", "cat"):
        (tools / applet).symlink_to(busybox)
    process: subprocess.Popen[str] | None = None
    try:
        for name in names:
            _run("ip", "netns", "add", name)
            _run("ip", "-n", name, "link", "set", "lo", "up")
        for link, peer, address, gateway, six, gateway6 in (
            ("toc", client, "10.77.1.2", ROUTER, "fd00:77:1::2", ROUTER6),
            ("tos", server, SERVER, "10.77.2.1", SERVER6, "fd00:77:2::1"),
        ):
            _run(
                "ip",
                "-n",
                router,
                "link",
                "add",
                "name",
                link,
                "type",
                "veth",
                "peer",
                "name",
                "eth0",
                "netns",
                peer,
            )
            _run("ip", "-n", peer, "addr", "add", f"{address}/24", "dev", "eth0")
            _run("ip", "-n", router, "addr", "add", f"{gateway}/24", "dev", link)
            _run("ip", "-n", peer, "addr", "add", f"{six}/64", "dev", "eth0", "nodad")
            _run("ip", "-n", router, "addr", "add", f"{gateway6}/64", "dev", link, "nodad")
            _run("ip", "-n", peer, "link", "set", "eth0", "up")
            _run("ip", "-n", router, "link", "set", link, "up")
            _run("ip", "-n", peer, "route", "add", "default", "via", gateway)
            _run("ip", "-n", peer, "-6", "route", "add", "default", "via", gateway6)
        _run(
            "ip",
            "netns",
            "exec",
            router,
            "sh",
            "-c",
            "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > "
            "/proc/sys/net/ipv6/conf/all/forwarding",
        )
        # No kind of ICMP message is held back: after six to one address the kernel sends one a
        # second, and who is not told tries again.
        for name in names:
            _run(
                "ip",
                "netns",
                "exec",
                name,
                "sh",
                "-c",
                "echo 0 > /proc/sys/net/ipv4/icmp_ratemask; echo 0 > "
                "/proc/sys/net/ipv6/icmp/ratelimit",
            )
        process = subprocess.Popen(
            [
                "ip",
                "netns",
                "exec",
                server,
                sys.executable,
                "-c",
                _SERVE,
                str(slow),
                *map(str, ports),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield NetLab(client, router, server, tools, process)
    finally:
        if process is not None:
            process.kill()
            process.communicate()
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    if done.returncode:
        raise Missing(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
