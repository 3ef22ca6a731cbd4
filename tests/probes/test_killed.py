"""kill -9 at random moments of the real program: after the next start nothing of ours is in the
cluster."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cli import exits
from drills.server.http import DrillServer
from drills.server.run import serve_in_thread
from tests.probes.onnodes import ours
from tests.rungs.cluster import Cluster
from tests.rungs.nodes import Lab
from tests.rungs.story import play

AT_ONCE = 5
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


async def killed(kubeconfig: Path, state: Path, seconds: float) -> bool:
    """Start a probe that creates pods and kill it so many seconds after it was started; whether it
    still ran."""
    process = await stanch(
        kubeconfig, state, "connectivity", "--from", "nginx", "--to", "marketplace", "--yes"
    )
    reading = asyncio.create_task(process.communicate())
    _, pending = await asyncio.wait({reading}, timeout=seconds)
    if pending:
        process.send_signal(signal.SIGKILL)
    await reading
    return process.returncode == -signal.SIGKILL


async def killed_at_work(kubeconfig: Path, state: Path, http: httpx.Client, seconds: float) -> None:
    """The same, so many seconds after the first object of the probe is in the cluster, however long
    the machine takes to that."""
    process = await stanch(
        kubeconfig, state, "connectivity", "--from", "nginx", "--to", "marketplace", "--yes"
    )
    reading = asyncio.create_task(process.communicate())
    async with asyncio.timeout(120):
        while not ours(http):
            done, _ = await asyncio.wait({reading}, timeout=0.1)
            assert not done, f"ended before it created anything: {reading.result()[0].decode()}"
    await asyncio.wait({reading}, timeout=seconds)
    process.send_signal(signal.SIGKILL)
    await reading
    assert process.returncode == -signal.SIGKILL


async def swept(kubeconfig: Path, state: Path) -> tuple[int | None, str]:
    """The next start, and the one after it where a busy server did not answer in time: how it ended
    and what it says."""
    for _ in range(STARTS):
        process = await stanch(kubeconfig, state, "sweep")
        out, _ = await process.communicate()
        if process.returncode != exits.UNREACHED:
            break
    return process.returncode, out.decode()


async def kill_at(
    moments: list[float], kubeconfig: Path, http: httpx.Client, folder: Path
) -> tuple[int, int]:
    """Kill at these moments, `AT_ONCE` at a time, and start again; (how many were killed at work,
    objects that the kills had left)."""
    at_work = left = 0
    for first in range(0, len(moments), AT_ONCE):
        batch = moments[first : first + AT_ONCE]
        states = [folder / f"state-{first + number}" for number in range(len(batch))]
        at_work += sum(
            await asyncio.gather(
                *(killed(kubeconfig, s, m) for s, m in zip(states, batch, strict=True))
            )
        )
        left += len(ours(http))
        said = await asyncio.wait_for(
            asyncio.gather(*(swept(kubeconfig, state) for state in states)), 300
        )
        assert {code for code, _ in said} == {exits.ANSWERED}, said
        assert ours(http) == [], f"killed after {batch} s; the next starts said {said}"
    return at_work, left


async def test_twenty_random_moments(drill: DrillServer, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    drill.write_kubeconfig(kubeconfig)
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    moments = [chance.uniform(1.0, 12.0) for _ in range(20)]
    with Cluster("drill", kubeconfig, tmp_path).client() as http:
        assert ours(http) == []
        at_work, left = await kill_at(moments, kubeconfig, http, tmp_path)
        assert at_work >= 15, f"seed {seed}: only {at_work} of 20 were still at work"
        for number in range(3):  # how much twenty moments leave depends on chance and machine
            if left < 20:
                more = [chance.uniform(1.0, 6.0) for _ in range(10)]
                folder = tmp_path / f"more-{number}"
                folder.mkdir()
                left += (await kill_at(more, kubeconfig, http, folder))[1]
    assert left >= 20, (
        f"seed {seed}: the kills left {left} objects, so there was little to clean up"
    )


@pytest.mark.nodes
async def test_random_moments_on_real_nodes(nodes_lab: Lab, tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    moments = [chance.uniform(2.0, 14.0) for _ in range(4)]
    kubeconfig, last = Path(nodes_lab.cluster.kubeconfig), tmp_path / "last"
    with nodes_lab.cluster.client() as http, play(http, list(nodes_lab.members)):
        at_work, _ = await kill_at(moments, kubeconfig, http, tmp_path)
        # Whether those left anything depends on how fast the machine is; this one does.
        await killed_at_work(kubeconfig, last, http, chance.uniform(0.0, 3.0))
        left = len(ours(http))
        code, said = await asyncio.wait_for(swept(kubeconfig, last), 300)
        assert (code, ours(http)) == (exits.ANSWERED, []), f"seed {seed}: {said}"
    assert at_work >= 2, f"seed {seed}"
    assert left >= 1, f"seed {seed}"
