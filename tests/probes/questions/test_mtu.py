"""A black hole for large packets, really built, and what is concluded from it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from probes.questions.mtu import LARGE, SMALL, Seen, conclude, judge, read
from probes.result import Cell, Component, Destination, Expectation, Place, ResultClass, Try
from probes.scripts.mtu import command
from tests.probes.netlab import SERVER, Missing, netlab
from tests.rungs.fixtures import all_required

_SINK = """
import socket, threading
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("0.0.0.0", 8050)); s.listen(16)
print("ready", flush=True)
def drain(c):
    c.recv(65536); c.sendall(b"HTTP/1.0 501 Not Implemented\\r\\n\\r\\n"); c.close()
while True:
    c, _ = s.accept(); threading.Thread(target=drain, args=(c,), daemon=True).start()
"""


def test_large_packets_that_vanish(tmp_path: Path) -> None:
    try:
        with netlab(tmp_path, slow=8003, ports=(8000,)) as lab:
            argv = ["ip", "netns", "exec", lab.server, sys.executable, "-c", _SINK]
            with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as sink:
                assert sink.stdout is not None
                assert sink.stdout.readline() == "ready\n"
                asked = command([f"{SERVER}:8050"], (SMALL, LARGE))
                try:
                    lines, error = read(lab.measure(asked))
                    assert error == ""
                    assert lines[0].mtu == 1500
                    assert [judge(line).verdict for line in lines if line.event == "try"] == [
                        ResultClass.OK,
                        ResultClass.OK,
                    ]
                    subprocess.run(
                        ["ip", "-n", lab.router, "link", "set", "tos", "mtu", "1300"],
                        check=True,
                        timeout=10,
                    )
                    hidden = [
                        "ip",
                        "netns",
                        "exec",
                        lab.router,
                        "iptables",
                        "-I",
                        "OUTPUT",
                        "-p",
                        "icmp",
                        "-j",
                        "DROP",
                    ]
                    subprocess.run(hidden, check=True, timeout=10)
                    lines, error = read(lab.measure(asked))
                    assert error == ""
                    assert [judge(line).verdict for line in lines if line.event == "try"] == [
                        ResultClass.OK,
                        ResultClass.TIMEOUT_FIRST_BYTE,
                    ]
                finally:
                    sink.kill()
    except Missing as missing:
        if all_required():
            pytest.fail(f"the network laboratory cannot be built: {missing}", pytrace=False)
        pytest.skip(f"the network laboratory cannot be built, it needs {missing}")


def seen(source: str, *targets: tuple[str, ResultClass], mtu: int = 1450) -> Seen:
    cells = []
    for node, large in targets:
        target = Destination("db", node, f"pg-{node}", "10.0.0.1", 80)
        cells.append(
            Cell(
                Place("web", source, "p"),
                target,
                Expectation.ALLOW,
                "",
                (Try(ResultClass.OK, 9), Try(large, 9)),
            )
        )
    return Seen(mtu, "eth0", tuple(cells))


STALL = ResultClass.TIMEOUT_FIRST_BYTE


def test_only_between_nodes_is_the_mark_of_a_tunnel() -> None:
    found = conclude([seen("node-1", ("node-1", ResultClass.OK), ("node-2", STALL))])
    assert found[0].component == Component("mtu", "node-1 -> node-2")
    assert found[0].confidence == 0.9


def test_all_well_and_interfaces_that_differ() -> None:
    good = ("node-1", ResultClass.OK)
    assert conclude([seen("node-1", good)])[0].component == Component("none", "")
    assert (
        "node-2 8900" in conclude([seen("node-1", good), seen("node-2", good, mtu=8900)])[0].claim
    )


def test_nothing_measured_is_not_well() -> None:
    assert conclude([])[0].component.kind == "not-measured"
    assert read("")[1] != ""
    assert "lacks" in read('{"event":"begin","tool":"none"}\n{"event":"end"}')[1]
