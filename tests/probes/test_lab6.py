"""IPv6: every kind of refusal, really produced by the kernel, to its class; by busybox, bash, perl
and python."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from probes.inference.classification import judge_all, read
from probes.result import ResultClass, Try
from probes.scripts.connectivity import command, target
from tests.probes.netlab import ROUTER6, SERVER6, Missing, NetLab, netlab
from tests.rungs.fixtures import all_required

OPEN, CLOSED, DROPPED, TCP_RESET = 8000, 8009, 8010, 8011
REJECTS = {
    8020: ("icmp6-no-route", "1/0"),
    8021: ("icmp6-adm-prohibited", "1/1"),
    8022: ("icmp6-addr-unreachable", "1/3"),
    8023: ("icmp6-port-unreachable", "1/4"),
}
WAYS = ("busybox", "bash", "perl", "python")
TOOLS = {"bash": ("bash", "timeout", "sleep", "date"), "perl": ("perl", "sleep", "date")}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetLab]:
    try:
        with netlab(tmp_path_factory.mktemp("netlab6"), slow=8003, ports=(OPEN,)) as built:
            for port, (how, _) in REJECTS.items():
                built.rule6(port, "-j", "REJECT", "--reject-with", how)
            built.rule6(DROPPED, "-j", "DROP")
            built.rule6(TCP_RESET, "-j", "REJECT", "--reject-with", "tcp-reset")
            for way, tools in TOOLS.items():
                folder = _folder(built, way)
                folder.mkdir()
                for tool in tools:
                    found = shutil.which(tool)
                    if found is None:
                        raise Missing(f"the program {tool}")
                    (folder / tool).symlink_to(found)
            # The first packet to a new neighbour is lost while the kernel looks for it.
            one(built, OPEN, "python")
            yield built
    except Missing as missing:
        if all_required():
            pytest.fail(f"the network laboratory cannot be built: {missing}", pytrace=False)
        pytest.skip(f"the network laboratory cannot be built, it needs {missing}")


def _folder(lab: NetLab, way: str) -> Path:
    return lab.tools.parent / way


def several(lab: NetLab, ports: tuple[int, ...], way: str, host: str = SERVER6) -> dict[int, Try]:
    """One connect to each port, in one run of the measuring script."""
    where = {port: target(host, port) for port in ports}
    argv = command(list(where.values()), gap_ms=0, timeout_s=2, python=way == "python")
    shown = (
        lab.measure(argv)
        if way not in TOOLS
        else lab.measure(argv, path=str(_folder(lab, way)), shell="/bin/bash")
    )
    output = read(shown)
    assert output.error == ""
    assert output.tool == {"busybox": "nc", "python": "python3"}.get(way, way)
    judged = judge_all(output, 2)
    return {port: judged[argument][0] for port, argument in where.items()}


def one(lab: NetLab, port: int, way: str, host: str = SERVER6) -> Try:
    return several(lab, (port,), way, host)[port]


@pytest.mark.parametrize("way", WAYS)
def test_answers_and_silence(lab: NetLab, way: str) -> None:
    found = several(lab, (OPEN, CLOSED, TCP_RESET, DROPPED), way)
    wanted = [ResultClass.OK, ResultClass.REFUSED, ResultClass.REFUSED, ResultClass.TIMEOUT_CONNECT]
    assert [each.verdict for each in found.values()] == wanted, found
    assert all(each.ms < 900 for port, each in found.items() if port != DROPPED), found
    assert found[DROPPED].ms >= 1900, found


@pytest.mark.parametrize("way", WAYS)
def test_what_is_rejected_on_the_way_has_the_code_of_icmpv6(lab: NetLab, way: str) -> None:
    # A shell hears of it on the second packet, a second later each: two of the four codes are
    # enough for the less usual tools.
    ports = (8021, 8023) if way in TOOLS else tuple(REJECTS)
    found = several(lab, ports, way)
    sender = ROUTER6 if way == "python" else ""
    assert {port: (each.verdict, each.icmp, each.sender) for port, each in found.items()} == {
        port: (ResultClass.REJECTED, REJECTS[port][1], sender) for port in ports
    }


@pytest.mark.parametrize("way", WAYS)
def test_nothing_listens_on_loopback(lab: NetLab, way: str) -> None:
    assert one(lab, CLOSED, way, "::1").verdict is ResultClass.REFUSED


@pytest.mark.parametrize("way", WAYS)
def test_no_route_in_the_source_is_not_blamed_on_the_network(lab: NetLab, way: str) -> None:
    subprocess.run(
        ["ip", "-n", lab.client, "-6", "route", "replace", "unreachable", "fd00:99::/64"],
        check=True,
        timeout=10,
    )
    found = one(lab, OPEN, way, "fd00:99::9")
    assert found.verdict is ResultClass.UNREACHABLE, found


def test_a_pod_without_ipv6_says_so_and_blames_no_component(lab: NetLab) -> None:
    """IPv4 alone in the source, an IPv6 address to dial: no packet leaves, and no name server is
    blamed."""
    alone = f"{lab.client}-four"
    subprocess.run(["ip", "netns", "add", alone], check=True, timeout=10)
    try:
        quiet = "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; ip link set lo up"
        subprocess.run(["ip", "netns", "exec", alone, "sh", "-c", quiet], check=True, timeout=10)
        for way in WAYS:
            # Without counters the time decides, and a busy machine is slow now and then.
            tries = [one(_replaced(lab, alone), OPEN, way) for _ in range(3)]
            assert ResultClass.UNREACHABLE in {each.verdict for each in tries}, (way, tries)
    finally:
        subprocess.run(["ip", "netns", "del", alone], check=True, timeout=10)


def _replaced(lab: NetLab, client: str) -> NetLab:
    return NetLab(client, lab.router, lab.server, lab.tools, lab.process)
