"""Rung 3: the story's fault happens on the node, and nothing of a lab outlives it."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.contract.channel import STDERR, execute
from tests.rungs.nodes import Lab
from tests.rungs.programs import cgroups
from tests.rungs.programs.processes import wait_until
from tests.rungs.story import PORT, SOURCE, TARGET, play

Cells = dict[tuple[str, str, str], str]


async def connect(lab: Lab, pods: list[dict[str, Any]]) -> Cells:
    """What each pod gets from each server: (namespace, its node, the server's node) -> ok or the
    client's words."""
    servers = [pod for pod in pods if pod["metadata"]["namespace"] == TARGET]

    async def cell(
        source: dict[str, Any], server: dict[str, Any]
    ) -> tuple[tuple[str, str, str], str]:
        meta = source["metadata"]
        command = ["sh", "-c", f"nc -w 3 {server['status']['podIP']} {PORT} </dev/null"]
        done = await execute(
            lab.cluster.kubeconfig,
            f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}",
            command,
        )
        words = "ok" if done.status["status"] == "Success" else done.output[STDERR].decode()
        return (meta["namespace"], source["spec"]["nodeName"], server["spec"]["nodeName"]), words

    return dict(
        await asyncio.gather(*(cell(source, server) for source in pods for server in servers))
    )


async def test_the_story(nodes_lab: Lab) -> None:
    with nodes_lab.cluster.client() as http, play(http, list(nodes_lab.members)) as pods:
        before = await connect(nodes_lab, pods)
        assert set(before.values()) == {"ok"}
        assert len(before) == 8
        with nodes_lab.reject("node-2", source=SOURCE, target=TARGET):
            during = await connect(nodes_lab, pods)
        for (namespace, _, server), words in during.items():
            if namespace == SOURCE and server == "node-2":
                assert "Connection refused" in words
            else:
                assert words == "ok"
        assert set((await connect(nodes_lab, pods)).values()) == {"ok"}, (
            "the fault ends with its block"
        )


def test_a_killed_lab_leaves_nothing_running(nodes_lab: Lab, tmp_path: Path) -> None:
    """Beside a running lab: two can live on one machine."""
    kubeconfig = tmp_path / "lab"
    owner = subprocess.Popen(
        [sys.executable, "-m", "tests.rungs", "up", "--rung", "3", "--kubeconfig", str(kubeconfig)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert owner.stdout is not None
        about = json.loads(owner.stdout.readline())
        assert about["server"] != nodes_lab.cluster.server
        device = _device(about["server"])
        assert device is not None
        pids = [*about["pids"].values(), *(node["pid"] for node in about["nodes"].values())]
        assert len(pids) == 12
    finally:
        owner.kill()
        owner.wait()
        assert owner.stdout is not None
        owner.stdout.close()
    wait_until(
        lambda: not any(_runs(pid) for pid in pids),
        "every process of the killed lab gone",
        limit=60,
    )
    # A namespace lives as long as the last connection that was cut in it: the kernel tries for up
    # to two minutes to say goodbye.
    wait_until(
        lambda: _device(about["server"]) != device,
        "the device that led to the killed lab gone",
        limit=180,
    )
    assert _device(nodes_lab.cluster.server) is not None, "the other lab is untouched"
    assert "stanch" not in "".join(
        line for line in Path("/proc/mounts").read_text().splitlines() if "tmpfs" in line
    )
    cgroups.sweep()
    assert not [
        folder
        for hierarchy in cgroups.hierarchies()
        for folder in hierarchy.glob(f"{cgroups.PREFIX}{owner.pid}-*")
    ]


def test_an_orderly_end(tmp_path: Path, nodes_lab: Lab) -> None:
    kubeconfig = tmp_path / "lab"
    command = [
        sys.executable,
        "-m",
        "tests.rungs",
        "up",
        "--rung",
        "3",
        "--kubeconfig",
        str(kubeconfig),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        about = json.loads(owner.stdout.readline())
        assert set(about["nodes"]) == set(nodes_lab.members)
        owner.send_signal(signal.SIGTERM)
        assert owner.wait(90) == 0
    assert not Path(about["logs"]).exists()
    assert not [
        folder
        for hierarchy in cgroups.hierarchies()
        for folder in hierarchy.glob(f"{cgroups.PREFIX}{owner.pid}-*")
    ]


def _device(server: str) -> int | None:
    """The number of this host's device that leads to the server's own network. Another lab may get
    the addresses, never the number."""
    address = ipaddress.ip_address(urlsplit(server).hostname or "")
    shown = subprocess.run(
        ["ip", "-json", "-4", "address"], capture_output=True, text=True, check=True
    ).stdout
    for device in json.loads(shown):
        for entry in device["addr_info"]:
            if address in ipaddress.ip_network(
                f"{entry['local']}/{entry['prefixlen']}", strict=False
            ):
                return int(device["ifindex"])
    return None


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
