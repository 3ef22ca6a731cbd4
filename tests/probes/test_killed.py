"""kill -9 of the real program while it creates, measures and deletes: after the next start nothing
of ours is in the cluster."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from aiohttp import web

from cli import exits
from drills.server.http import DrillServer
from drills.server.run import serve_in_thread
from tests.drills.gate import Gate, Moment
from tests.probes.onnodes import ours
from tests.rungs.cluster import Cluster
from tests.rungs.nodes import Lab
from tests.rungs.story import play

AT_ONCE = 3
"""Programs that run, and are killed, beside each other: each has its own record, as different
operators have."""
STARTS = 5


@pytest.fixture(scope="module")
def drill() -> Iterator[DrillServer]:
    with serve_in_thread("network-policy-cni-version-skew") as server:
        yield server


async def stanch(kubeconfig: Path, state: Path, *words: str) -> asyncio.subprocess.Process:
    """`stanch probe ...` as a process of its own, with its records in `state`."""
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "STANCH_STATE": str(state)}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import sys; from cli.main import main; sys.exit(main())",
        "probe",
        *words,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def killed_at_work(kubeconfig: Path, state: Path, http: httpx.Client, objects: int) -> None:
    """Starts a probe that creates pods and kills it once so many of its objects are in the
    cluster."""
    process = await probing(kubeconfig, state)
    reading = asyncio.create_task(process.communicate())
    async with asyncio.timeout(120):
        while len(ours(http)) < objects:
            done, _ = await asyncio.wait({reading}, timeout=0.1)
            assert not done, f"it ended too early: {reading.result()[0].decode()}"
    process.send_signal(signal.SIGKILL)
    await reading
    assert process.returncode == -signal.SIGKILL


async def probing(kubeconfig: Path, state: Path) -> asyncio.subprocess.Process:
    return await stanch(
        kubeconfig, state, "connectivity", "--from", "nginx", "--to", "marketplace", "--yes"
    )


async def swept(kubeconfig: Path, state: Path) -> tuple[int | None, str]:
    """The next start, and the one after it where a busy server did not answer in time: how it ended
    and what it says."""
    for _ in range(STARTS):
        process = await stanch(kubeconfig, state, "sweep")
        out, _ = await process.communicate()
        if process.returncode != exits.UNREACHED:
            break
    return process.returncode, out.decode()


async def kill_at(gate: Gate, kubeconfig: Path, states: list[Path]) -> None:
    """Runs a probe for each of `states` beside the others and kills them when the gate is reached.
    One that a busy machine did not let read the cluster in time starts again."""
    over = asyncio.Event()
    running: dict[Path, asyncio.subprocess.Process] = {}

    async def run(state: Path) -> str:
        while True:
            process = running[state] = await probing(kubeconfig, state)
            if over.is_set():
                process.kill()
            out, _ = await process.communicate()
            if over.is_set() or process.returncode != exits.UNREACHED:
                return out.decode()

    reading = [asyncio.create_task(run(state)) for state in states]
    reached = await asyncio.to_thread(gate.reached)
    over.set()
    for process in running.values():
        if process.returncode is None:
            process.kill()
    said = await asyncio.gather(*reading)
    assert reached, said
    ended = [process.returncode for process in running.values()]
    assert -signal.SIGKILL in ended, said
    assert set(ended) <= {-signal.SIGKILL, exits.UNREACHED, exits.PARTIAL}, said


def is_write(method: str) -> Callable[[web.Request, str], bool]:
    """Whether a request creates (POST) or deletes (DELETE) a pod."""
    pods = re.compile(r"/pods(/[^/]+)?$")
    return lambda request, path: (
        request.method == method and bool(pods.search(path)) and "dryRun" not in request.query
    )


async def test_moments_of_creating_measuring_and_deleting(
    drill: DrillServer, tmp_path: Path
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    drill.write_kubeconfig(kubeconfig)
    creates, deletes = Gate(drill, is_write("POST")), Gate(drill, is_write("DELETE"))
    runs = Gate(drill, lambda _, path: path.endswith("/exec"))
    moments: list[tuple[Gate, int, Moment]] = [
        (creates, 1, "after"),
        (creates, AT_ONCE, "before"),
        (runs, 3, "before"),
        (deletes, 1, "after"),
    ]
    left = 0
    with Cluster("drill", kubeconfig, tmp_path).client() as http:
        assert ours(http) == []
        for number, (gate, count, moment) in enumerate(moments):
            states = [tmp_path / f"state-{number}-{each}" for each in range(AT_ONCE)]
            deletes.close(1, "before")  # no probe ends before it deletes its pods
            gate.close(count, moment)
            await kill_at(gate, kubeconfig, states)
            assert gate.open()
            assert deletes.open()
            left += len(ours(http))
            said = await asyncio.wait_for(
                asyncio.gather(*(swept(kubeconfig, state) for state in states)), 300
            )
            assert {code for code, _ in said} == {exits.ANSWERED}, said
            assert ours(http) == [], f"killed {moment} request {count}; the next starts said {said}"
    assert left > AT_ONCE, "the first of a pod, and one pod of each"


@pytest.mark.nodes
@pytest.mark.parametrize("objects", [1, 2])
async def test_moments_on_real_nodes(nodes_lab: Lab, tmp_path: Path, objects: int) -> None:
    kubeconfig, state = Path(nodes_lab.cluster.kubeconfig), tmp_path / "state"
    with nodes_lab.cluster.client() as http, play(http, list(nodes_lab.members)):
        await killed_at_work(kubeconfig, state, http, objects)
        assert len(ours(http)) >= objects
        code, said = await asyncio.wait_for(swept(kubeconfig, state), 300)
        assert (code, ours(http)) == (exits.ANSWERED, []), said
