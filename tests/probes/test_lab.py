"""Every kind of refusal, really produced by the kernel, to its class and its band of time; with
busybox alone and with python."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import pytest

from probes.inference.classification import Output, judge_all, read
from probes.result import ResultClass, Try
from probes.scripts.connectivity import command, target
from tests.probes.netlab import ROUTER, SERVER, Missing, NetLab, netlab
from tests.rungs.fixtures import all_required

IP = shutil.which("ip") or "ip"
OPEN, ONE_LOST, TWO_LOST, SLOW, CLOSED, DROPPED, TCP_RESET = (
    8000,
    8001,
    8002,
    8003,
    8009,
    8010,
    8011,
)
REJECTS = {
    8020: ("icmp-net-unreachable", "3/0"),
    8021: ("icmp-host-unreachable", "3/1"),
    8022: ("icmp-port-unreachable", "3/3"),
    8023: ("icmp-net-prohibited", "3/9"),
    8024: ("icmp-host-prohibited", "3/10"),
    8025: ("icmp-admin-prohibited", "3/13"),
}
AT_ONCE = 900
"""Milliseconds: before the kernel repeats a SYN, after one second. What took less was heard the
first time."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetLab]:
    try:
        with netlab(
            tmp_path_factory.mktemp("netlab"), slow=SLOW, ports=(OPEN, ONE_LOST, TWO_LOST)
        ) as built:
            for port, (how, _) in REJECTS.items():
                built.rule(port, "-j", "REJECT", "--reject-with", how)
            built.rule(DROPPED, "-j", "DROP")
            built.rule(TCP_RESET, "-j", "REJECT", "--reject-with", "tcp-reset")
            every_other = ("--syn", "-m", "statistic", "--mode", "nth", "--every")
            built.rule(ONE_LOST, *every_other, "2", "--packet", "0", "-j", "DROP")
            built.rule(TWO_LOST, *every_other, "3", "--packet", "0", "-j", "DROP")
            built.rule(TWO_LOST, *every_other, "2", "--packet", "0", "-j", "DROP")
            yield built
    except Missing as missing:
        if all_required():
            pytest.fail(f"the network laboratory cannot be built: {missing}", pytrace=False)
        pytest.skip(f"the network laboratory cannot be built, it needs {missing}")


def one(lab: NetLab, port: int, *, python: bool = False, host: str = SERVER) -> Try:
    where = target(host, port)
    output = read(lab.measure(command([where], gap_ms=0, python=python)))
    assert output.error == ""
    return judge_all(output)[where][0]


@pytest.mark.parametrize("python", [False, True], ids=["busybox", "python"])
@pytest.mark.parametrize(
    ("port", "verdict", "least_ms", "most_ms"),
    [
        (OPEN, ResultClass.OK, 0, AT_ONCE),
        (ONE_LOST, ResultClass.OK, 900, 1800),
        (TWO_LOST, ResultClass.OK, 1900, 3800),
        (CLOSED, ResultClass.REFUSED, 0, AT_ONCE),
        (TCP_RESET, ResultClass.REFUSED, 0, AT_ONCE),
        (DROPPED, ResultClass.TIMEOUT_CONNECT, 3900, 8000),
    ],
)
def test_class_and_time_of_what_answers_or_stays_silent(
    lab: NetLab, port: int, verdict: ResultClass, least_ms: int, most_ms: int, python: bool
) -> None:
    found = one(lab, port, python=python)
    assert found.verdict is verdict, found
    assert least_ms <= found.ms <= most_ms, found
    assert found.sender == ""
    assert found.at is not None


@pytest.mark.parametrize("port", REJECTS)
def test_busybox_tells_icmp_from_rst_by_the_counters(lab: NetLab, port: int) -> None:
    found = one(lab, port)
    assert found.verdict is ResultClass.REJECTED, found
    assert 900 <= found.ms <= 3800, found
    assert found.sender == "", "only the error queue knows the sender"


@pytest.mark.parametrize("port", REJECTS)
def test_python_names_the_icmp_code_and_its_sender(lab: NetLab, port: int) -> None:
    found = one(lab, port, python=True)
    assert (found.verdict, found.icmp, found.sender) == (
        ResultClass.REJECTED,
        REJECTS[port][1],
        ROUTER,
    )
    assert found.ms < AT_ONCE


def test_a_full_accept_queue_is_slow_and_not_closed(lab: NetLab) -> None:
    lab.drain_slow_queue()
    found = one(lab, SLOW)
    assert found.verdict is ResultClass.OK, found
    assert found.ms >= 900, "its SYN was repeated"


def test_no_route_in_the_source_is_not_blamed_on_the_network(lab: NetLab) -> None:
    lab_route = ("ip", "-n", lab.client, "route", "add", "unreachable", "10.99.99.0/24")
    subprocess.run(lab_route, check=True, timeout=10)
    found = one(lab, 80, host="10.99.99.9")
    assert found.verdict is ResultClass.UNREACHABLE, found


def test_a_name_that_does_not_exist_is_not_a_refusal(lab: NetLab) -> None:
    found = one(lab, 80, host="nosuch.invalid")
    assert found.verdict in (ResultClass.DNS_NXDOMAIN, ResultClass.DNS_TIMEOUT), found


def test_a_shell_without_any_tool_says_so(lab: NetLab) -> None:
    empty = lab.tools.parent / "empty"
    empty.mkdir()
    (empty / "sleep").symlink_to(lab.tools / "sleep")
    (empty / "date").symlink_to(lab.tools / "date")
    # busybox' own shell finds its applets without PATH, so the applet names are hidden by a shell
    # without them.
    bash = "/bin/bash"
    output = _in(lab, bash, str(empty))
    assert output.tool == "none"
    assert "none of" in output.error or "no usable" in output.error
    assert all(
        each.verdict is ResultClass.TOOL_MISSING
        for tries in judge_all(output).values()
        for each in tries
    )


def _in(lab: NetLab, shell: str, path: str) -> Output:

    argv = command([target(SERVER, OPEN)], gap_ms=0)
    done = subprocess.run(
        [IP, "netns", "exec", lab.client, shell, *argv[1:]],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": path},
    )
    return read(done.stdout)
