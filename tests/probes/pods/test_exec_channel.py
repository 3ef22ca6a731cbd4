"""Every way in which exec fails, on the embedded cluster over real WebSockets: it is said as such
and never as a fault of the network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cluster.api import websocket as channel
from drills.server.faults import FaultRule
from drills.server.http import DrillServer
from drills.server.run import serve_in_thread
from probes import catalogue
from probes.context import ProbeContext
from probes.result import ProbeResult, ResultClass
from tests.probes.onnodes import ours, told
from tests.probes.real import real_context
from tests.rungs.cluster import Cluster

SAYS_NOTHING = {ResultClass.EXEC_FAILED, ResultClass.NOT_MEASURED, ResultClass.TOOL_MISSING}


@pytest.fixture(scope="module")
def drill() -> Iterator[DrillServer]:
    with serve_in_thread("network-policy-cni-version-skew", speed=20.0) as server:
        yield server


@pytest.fixture
def rungs(drill: DrillServer, tmp_path: Path) -> Iterator[Cluster]:
    path = tmp_path / "kubeconfig"
    drill.write_kubeconfig(path)
    commands = list(drill.state.world.surroundings.commands)
    yield Cluster("drill", path, tmp_path)
    drill.faults.clear()
    drill.state.world.surroundings.commands[:] = commands


@asynccontextmanager
async def hurried(cluster: Cluster) -> AsyncIterator[ProbeContext]:
    """A context whose pauses are short: what is waited for here is said by the server, not by the
    clock."""
    async with real_context(cluster.kubeconfig) as context:
        yield replace(context, sleep=lambda seconds: asyncio.sleep(min(seconds, 0.2)))


async def measure(
    cluster: Cluster,
    name: str,
    arguments: dict[str, str],
    say: Callable[[str], None] = lambda _: None,
) -> ProbeResult:
    async with hurried(cluster) as context:
        plan = await catalogue.plan(name, context, arguments)
        assert plan.refused == "", plan.refused
        result = await asyncio.wait_for(catalogue.run(plan, context, say), 90)
    with cluster.client() as http:
        assert ours(http) == []
    assert result.left_behind == ()
    return result


def assert_nothing_is_said(result: ProbeResult, words: str) -> None:
    """No verdict on the network, no component blamed, the reason in the words of the server or of
    the channel."""
    assert result.cells
    assert {each.verdict for cell in result.cells for each in cell.tries} <= SAYS_NOTHING, told(
        result
    )
    assert [each.component.kind for each in result.conclusions] == ["not-measured"], told(result)
    assert not result.complete
    assert any(words in problem for problem in result.problems), told(result)


def missing(drill: DrillServer) -> None:
    drill.state.world.surroundings.commands.insert(0, {"match": "stanch-probe", "missing": True})


def cut_at_once(drill: DrillServer) -> None:
    drill.faults.add(FaultRule("cut", resource="pods/exec", after_bytes=0))


def cut_in_a_line(drill: DrillServer) -> None:
    drill.faults.add(FaultRule("cut", resource="pods/exec", after_bytes=240))


def forbidden(drill: DrillServer) -> None:
    # The access review says yes and the request no, as an authorizer behind a webhook can.
    drill.faults.add(
        FaultRule(
            "error",
            resource="pods/exec",
            code=403,
            message='pods "x" is forbidden: no exec tonight',
        )
    )


def dialling_fails(drill: DrillServer) -> None:
    drill.faults.error(
        500, "pods/exec", message="error dialing backend: dial tcp 10.0.0.9:10250: i/o timeout"
    )


def ends_without_end_mark(drill: DrillServer) -> None:
    begin = '{"event":"begin","v":1,"tool":"nc","has":"nc","counters":1}\n'
    drill.state.world.surroundings.commands.insert(
        0, {"match": "stanch-probe", "stdout": begin, "code": 0}
    )


def says_something_else(drill: DrillServer) -> None:
    drill.state.world.surroundings.commands.insert(
        0, {"match": "stanch-probe", "stdout": "sh: applet not found\n", "code": 127}
    )


FAILURES = [
    (missing, "executable file not found"),
    (cut_at_once, "how the command ended is not known"),
    (cut_in_a_line, "how the command ended is not known"),
    (forbidden, "no exec tonight"),
    (dialling_fails, "error dialing backend"),
    (ends_without_end_mark, "the output was cut"),
    (says_something_else, "printed no result"),
]


@pytest.mark.parametrize(
    ("probe", "arguments"),
    [
        ("connectivity", {"from": "nginx", "to": "marketplace", "control": "none"}),
        ("dns", {"namespace": "nginx", "tries": "1"}),
        ("mtu", {"from": "nginx", "to": "marketplace"}),
        ("egress", {"namespace": "nginx", "target": "203.0.113.9:443", "control": "none"}),
    ],
)
@pytest.mark.parametrize(
    ("break_it", "words"), FAILURES, ids=lambda value: value.__name__ if callable(value) else ""
)
async def test_a_failing_channel_blames_no_component(
    drill: DrillServer,
    rungs: Cluster,
    probe: str,
    arguments: dict[str, str],
    break_it: Callable[[DrillServer], None],
    words: str,
) -> None:
    break_it(drill)
    assert_nothing_is_said(await measure(rungs, probe, arguments), words)


async def test_a_handshake_that_is_never_answered(
    drill: DrillServer, rungs: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "HANDSHAKE_LIMIT", 0.5)
    drill.faults.add(FaultRule("silent", resource="pods/exec"))
    result = await measure(
        rungs, "connectivity", {"from": "nginx", "to": "marketplace", "control": "none"}
    )
    assert_nothing_is_said(result, "no answer to the upgrade")


async def test_the_probe_pod_is_deleted_while_it_measures(
    drill: DrillServer, rungs: Cluster
) -> None:
    """Another process deletes the pod: the results of that round count as not measured, and no
    component is blamed for it."""
    deleted: list[str] = []

    def delete(line: str) -> None:
        if "connection attempt" not in line or deleted:
            return
        with rungs.client() as http:
            for path in ours(http):
                plural, _, name = path.partition("/")
                if plural == "pods":
                    http.request(
                        "DELETE", f"/api/v1/namespaces/nginx/pods/{name}", json=_AT_ONCE
                    ).raise_for_status()
                    deleted.append(name)

    result = await measure(
        rungs, "connectivity", {"from": "nginx", "to": "marketplace", "control": "none"}, delete
    )
    assert deleted
    assert_nothing_is_said(result, "not found")


async def test_a_channel_that_breaks_later_keeps_what_was_measured(
    drill: DrillServer, rungs: Cluster
) -> None:
    """The first rounds are facts; the broken one adds nothing to them and takes nothing away."""
    drill.faults.add(
        FaultRule("error", resource="pods/exec", code=500, message="error dialing backend", skip=4)
    )
    result = await measure(
        rungs, "connectivity", {"from": "nginx", "to": "marketplace", "control": "none"}
    )
    assert any(cell.counted for cell in result.cells), told(result)
    assert any("error dialing backend" in problem for problem in result.problems)
    accused = {each.component.kind for each in result.conclusions if each.confidence > 0.5}
    assert accused <= {"policy-enforcement", "not-measured", "none"}, told(result)


_AT_ONCE: dict[str, Any] = {"gracePeriodSeconds": 0}
