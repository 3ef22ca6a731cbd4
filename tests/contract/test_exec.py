"""Running containers: exec over WebSocket, logs. On the rungs whose pods run: the embedded cluster
and real nodes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import aiohttp
import httpx
import pytest

from tests.contract.channel import STDERR, STDOUT, V4, V5, execute
from tests.contract.wire import STRATEGIC_PATCH, Json, assert_status, create, patch, pod
from tests.rungs.cluster import Cluster


@pytest.fixture(scope="module", params=["drill", "nodes"])
def running(request: pytest.FixtureRequest) -> Cluster:
    """The rungs whose pods run."""
    if request.param == "drill":
        embedded: Cluster = request.getfixturevalue("drill_cluster")
        return embedded
    real: Cluster = request.getfixturevalue("nodes_lab").cluster
    return real


@pytest.fixture(scope="module")
def talker(running: Cluster) -> Iterator[str]:
    """The path of a running pod that wrote two lines to its log."""
    with running.client() as http:
        body = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"generateName": "contract-exec-"},
        }
        namespace = create(http, "/api/v1/namespaces", body)["metadata"]["name"]
        path = f"/api/v1/namespaces/{namespace}/pods"
        talking = pod("talker")
        talking["spec"]["containers"][0]["command"] = [
            "sh",
            "-c",
            "echo first; echo second; exec sleep 3600",
        ]
        create(http, path, talking)
        wait_for(
            http,
            f"{path}/talker",
            lambda seen: all(entry["ready"] for entry in seen["status"]["containerStatuses"]),
        )
        yield f"{path}/talker"
        http.delete(f"{path}/talker").raise_for_status()


def wait_for(
    http: httpx.Client, path: str, holds: Callable[[Json], bool], limit: float = 30.0
) -> Json:
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        seen: Json = http.get(path).raise_for_status().json()
        if seen["status"].get("containerStatuses") and holds(seen):
            return seen
        time.sleep(0.1)
    raise TimeoutError(f"{path}: {seen['status']}")


@pytest.mark.parametrize("protocol", [V5, V4])
async def test_output_and_success(running: Cluster, talker: str, protocol: str) -> None:
    done = await execute(running.kubeconfig, talker, ["echo", "hello"], protocols=[protocol])
    assert done.protocol == protocol
    assert done.output[STDOUT] == b"hello\n"
    assert done.status["status"] == "Success"


async def test_the_newer_protocol_is_preferred(running: Cluster, talker: str) -> None:
    assert (await execute(running.kubeconfig, talker, ["true"], protocols=[V5, V4])).protocol == V5


async def test_the_exit_status_comes_on_the_error_channel(running: Cluster, talker: str) -> None:
    done = await execute(running.kubeconfig, talker, ["sh", "-c", "echo out; echo err >&2; exit 7"])
    assert (done.output[STDOUT], done.output[STDERR]) == (b"out\n", b"err\n")
    assert (done.status["status"], done.status["reason"]) == ("Failure", "NonZeroExitCode")
    causes = {cause["reason"]: cause["message"] for cause in done.status["details"]["causes"]}
    assert causes == {"ExitCode": "7"}


async def test_a_missing_program_is_not_an_exit_status(running: Cluster, talker: str) -> None:
    done = await execute(running.kubeconfig, talker, ["no-such-program"])
    assert done.status["status"] == "Failure"
    assert done.status.get("reason") != "NonZeroExitCode"
    assert "no-such-program" in done.status["message"]


async def test_an_absent_container_refuses_the_upgrade(running: Cluster, talker: str) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await execute(running.kubeconfig, talker, ["true"], container="absent")
    assert refused.value.status == 400


async def test_an_absent_pod_refuses_the_upgrade(running: Cluster, talker: str) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await execute(running.kubeconfig, f"{talker}-not", ["true"])
    assert refused.value.status == 404


def test_logs(running: Cluster, talker: str) -> None:
    with running.client() as http:
        deadline = (
            time.monotonic() + 60
        )  # the runtime writes them a moment after the container started
        while http.get(f"{talker}/log").text.count("\n") < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        answer = http.get(f"{talker}/log")
        assert answer.headers["content-type"].startswith("text/plain")
        assert answer.text == "first\nsecond\n"
        assert (
            http.get(f"{talker}/log", params={"tailLines": "1", "container": "main"}).text
            == "second\n"
        )
        stamped = http.get(f"{talker}/log", params={"timestamps": "true", "tailLines": "1"}).text
        stamp, _, line = stamped.partition(" ")
        assert line == "second\n"
        assert "T" in stamp
        assert stamp.startswith("20")
        assert len(http.get(f"{talker}/log", params={"limitBytes": "3"}).content) == 3
        assert_status(http.get(f"{talker}/log", params={"previous": "true"}), 400, "BadRequest")
        assert_status(http.get(f"{talker}/log", params={"container": "absent"}), 400, "BadRequest")


def test_an_ephemeral_container_starts(running: Cluster, talker: str) -> None:
    container = {
        "name": "stanch-debug",
        "image": "stanch.test/busybox:1",
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "3600"],
        "targetContainerName": "main",
    }
    with running.client() as http:
        change = {"spec": {"ephemeralContainers": [container]}}
        patch(http, f"{talker}/ephemeralcontainers", change, STRATEGIC_PATCH).raise_for_status()

        def started(seen: Json) -> bool:
            return any(
                "running" in entry["state"]
                for entry in seen["status"].get("ephemeralContainerStatuses", [])
            )

        wait_for(http, talker, started)
