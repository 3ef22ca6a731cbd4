"""Look-ups from a shell against servers that answer, refuse, fail, are slow or silent; and what is
concluded from them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from probes import catalogue
from probes.questions.dns import INSIDE, conclude, judge, read
from probes.result import Cell, Component, Destination, Expectation, Place, ResultClass, Try
from probes.scripts.dns import MARKER, SHELL, command
from tests.probes.cells import node, pod, service, slice_of, story
from tests.probes.fake import FakeCluster
from tests.probes.netlab import Missing, NetLab, netlab
from tests.rungs.fixtures import all_required

GOOD, SILENT, SLOW, FAILING, REFUSING, CLOSED = (f"10.77.2.{n}" for n in (10, 11, 12, 13, 14, 15))
SIX = "fd00:77:2::2"
_SERVER = """
import socket, struct, sys, threading, time
def answer(q, code):
    body = q[12:]; end = body.index(0) + 5; question = body[:end]; kind = struct.unpack(">H", question[-4:-2])[0]
    known, only_six = body.startswith(b"\\x0akubernetes"), body.startswith(b"\\x03six")
    rc = code or (0 if known or only_six else 3)
    give = rc == 0 and kind == (28 if only_six else 1)
    data = bytes([253] + [0] * 14 + [1]) if only_six else bytes([10, 96, 0, 1])
    record = b"\\xc0\\x0c" + struct.pack(">HHIH", kind, 1, 5, len(data)) + data if give else b""
    return q[:2] + struct.pack(">HHHHH", 0x8180 | rc, 1, int(give), 0, 0) + question + record
def serve(address, code, delay, silent):
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM); s.bind((address, 53))
    def loop():
        while True:
            q, peer = s.recvfrom(512)
            if silent: continue
            time.sleep(delay); s.sendto(answer(q, code), peer)
    threading.Thread(target=loop, daemon=True).start()
for part in sys.argv[1:]:
    address, code, delay, silent = part.split(",")
    serve(address, int(code), float(delay), silent == "1")
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetLab]:
    try:
        with netlab(tmp_path_factory.mktemp("dnslab"), slow=8003, ports=(8000,)) as built:
            for address in (GOOD, SILENT, SLOW, FAILING, REFUSING, CLOSED):
                subprocess.run(
                    ["ip", "-n", built.server, "addr", "add", f"{address}/24", "dev", "eth0"],
                    check=True,
                    timeout=10,
                )
            given = (
                f"{GOOD},0,0,0",
                f"{SILENT},0,0,1",
                f"{SLOW},0,1.2,0",
                f"{FAILING},2,0,0",
                f"{REFUSING},5,0,0",
                f"{SIX},0,0,0",
            )
            argv = ["ip", "netns", "exec", built.server, sys.executable, "-c", _SERVER, *given]
            with subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            ) as server:
                assert server.stdout is not None
                assert server.stdout.readline() == "ready\n"
                built.measure(
                    command([SIX], [INSIDE])
                )  # the first packet of all waits a second or two for neighbours to be found
                try:
                    yield built
                finally:
                    server.kill()
    except Missing as missing:
        if all_required():
            pytest.fail(f"the network laboratory cannot be built: {missing}", pytrace=False)
        pytest.skip(f"the network laboratory cannot be built, it needs {missing}")


@pytest.mark.parametrize(
    ("server", "name", "verdict", "least_ms", "most_ms"),
    [
        (GOOD, INSIDE, ResultClass.OK, 0, 300),
        (GOOD, "nosuch.example", ResultClass.DNS_NXDOMAIN, 0, 300),
        (GOOD, "six.example", ResultClass.OK, 0, 300),  # AAAA alone: a name all the same
        (SIX, INSIDE, ResultClass.OK, 0, 900),  # a name server of an IPv6 cluster
        (SIX, "nosuch.example", ResultClass.DNS_NXDOMAIN, 0, 300),
        (SLOW, INSIDE, ResultClass.OK, 1000, 4500),
        (SILENT, INSIDE, ResultClass.DNS_TIMEOUT, 2500, 8000),
        (FAILING, INSIDE, ResultClass.DNS_SERVFAIL, 0, 8000),
        (REFUSING, INSIDE, ResultClass.DNS_REFUSED, 0, 8000),
        (CLOSED, INSIDE, ResultClass.REFUSED, 0, 8000),
    ],
)
def test_classes(
    lab: NetLab, server: str, name: str, verdict: ResultClass, least_ms: int, most_ms: int
) -> None:
    lines, error = read(lab.measure(command([server], [name])))
    assert error == ""
    found = judge(next(line for line in lines if line.event == "try"))
    assert found.verdict is verdict, found
    assert least_ms <= found.ms <= most_ms, found


def test_who_is_silent_is_not_asked_for_ever(lab: NetLab) -> None:
    """Two look-ups without any answer are enough; a server that answers other names is asked for
    those on."""
    began = time.monotonic()
    lines, error = read(
        lab.measure(
            command([SILENT, GOOD], [INSIDE, "example.org"], tries=5, gap_ms=100, timeout_s=3)
        )
    )
    took = time.monotonic() - began
    assert error == ""
    asked = Counter((line.server, line.name) for line in lines if line.event == "try")
    assert asked == {
        (SILENT, INSIDE): 1,
        (SILENT, "example.org"): 1,
        (GOOD, INSIDE): 5,
        (GOOD, "example.org"): 5,
    }
    assert took < 10


def test_the_command_takes_only_addresses_and_names() -> None:
    assert SHELL.startswith(MARKER)
    for server, name in (
        ("$(reboot)", "a"),
        ("10.0.0.1", "a;b"),
        ("10.0.0.1", "-x"),
        ("host", "a"),
    ):
        with pytest.raises(ValueError, match=r"."):
            command([server], [name])


def test_damaged_output_says_so() -> None:
    assert read("")[1] != ""
    assert "cut" in read('{"event":"begin","tool":"nslookup"}\n{"event":"try","server":"x"}')[1]
    assert "no nslookup" in read('{"event":"begin","tool":"none"}\n{"event":"end","count":0}')[1]


# ---- conclusions


def cells(**verdicts: tuple[ResultClass, int]) -> list[Cell]:
    """One cell for each server: `pod_a`, `pod_b` or `service`; (class, milliseconds)."""
    found: list[Cell] = []
    for server, (verdict, ms) in verdicts.items():
        is_pod = server.startswith("pod")
        target = Destination(
            "kube-system",
            f"node-{server[-1]}" if is_pod else "",
            server if is_pod else "",
            f"10.0.0.{len(found)}",
            53,
            f"{INSIDE}." if is_pod else f"kube-dns for {INSIDE}.",
        )
        found.append(
            Cell(
                Place("web", "node-1", "p"),
                target,
                Expectation.ALLOW,
                "",
                tuple(Try(verdict, ms) for _ in range(5)),
            )
        )
    return found


OK = (ResultClass.OK, 5)


@pytest.mark.parametrize(
    ("given", "component"),
    [
        ({"pod_a": OK, "pod_b": OK, "service": OK}, Component("none", "")),
        (
            {"pod_a": OK, "pod_b": (ResultClass.DNS_TIMEOUT, 6000), "service": OK},
            Component("dns", "kube-system/pod_b"),
        ),
        (
            {"pod_a": OK, "pod_b": (ResultClass.OK, 2300), "service": OK},
            Component("dns", "kube-system/pod_b"),
        ),
        (
            {"pod_a": (ResultClass.DNS_SERVFAIL, 9), "pod_b": (ResultClass.DNS_SERVFAIL, 9)},
            Component("dns", "all"),
        ),
        (
            {"pod_a": OK, "pod_b": OK, "service": (ResultClass.DNS_TIMEOUT, 6000)},
            Component("service", "kube-dns"),
        ),
    ],
)
def test_conclusions(given: dict[str, tuple[ResultClass, int]], component: Component) -> None:
    assert conclude(cells(**given), ())[0].component == component


def test_outside_names_alone_accuse_the_upstream() -> None:
    inside = cells(pod_a=OK, pod_b=OK)
    outside = [
        replace(
            c,
            target=replace(c.target, service="example.org."),
            tries=tuple(Try(ResultClass.DNS_SERVFAIL, 5) for _ in range(5)),
        )
        for c in inside
    ]
    assert conclude([*inside, *outside], ())[0].component == Component("dns", "upstream")


def test_five_seconds_are_a_lost_packet() -> None:
    given = cells(pod_a=OK, pod_b=OK)
    given[0] = replace(given[0], tries=(*given[0].tries, Try(ResultClass.OK, 5010)))
    assert conclude(given, ())[0].component == Component("network", "lost packets")


def test_one_source_that_gets_no_answer_is_not_dns() -> None:
    here = cells(pod_a=OK, pod_b=OK)
    silent = (ResultClass.DNS_TIMEOUT, 6000)
    there = [
        replace(c, source=Place("web", "node-2", "q")) for c in cells(pod_a=silent, pod_b=silent)
    ]
    assert conclude([*here, *there], ())[0].component == Component("node", "node-2")


# ---- the whole probe


async def test_from_plan_to_clean_up() -> None:
    more = (
        pod(
            "coredns-1",
            "kube-system",
            "node-1",
            ip="10.244.1.2",
            labels={"k8s-app": "kube-dns"},
            port=53,
        ),
        service(
            "kube-dns",
            "kube-system",
            selector={"k8s-app": "kube-dns"},
            port=53,
            target=53,
            clusterIP="10.96.0.10",
        ),
        slice_of("kube-dns", "kube-system", [("coredns-1", "10.244.1.2", "node-1")], port=53),
        node("node-9"),
    )
    cluster = FakeCluster(story(more=more), lambda *_: "ok", broken_exec="exec: connection cut")
    context = cluster.context()
    plan = await catalogue.plan("dns", context, {"namespace": "nginx", "name": "example.org"})
    assert plan.refused == ""
    assert [t.address for t in plan.detail.servers] == ["-", "10.96.0.10", "10.244.1.2"]
    result = await catalogue.run(plan, context)
    assert cluster.objects == {}
    assert not result.complete
    assert [c.component.kind for c in result.conclusions] == ["not-measured"], (
        "a broken exec says nothing about DNS"
    )
    assert any("connection cut" in p for p in result.problems)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"namespace": "nosuch"},
        {"namespace": "nginx", "name": "a b"},
        {"namespace": "nginx", "tries": "x"},
    ],
)
async def test_bad_input(arguments: dict[str, str]) -> None:
    plan = await catalogue.plan("dns", FakeCluster(story(), lambda *_: "ok").context(), arguments)
    assert plan.refused
    assert "\n" not in plan.refused
