"""What the acceptance tests on real nodes share: a probe from plan to result, what of ours is left,
and programs in a pod's own network."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx

from cluster.api.mode import MANAGED_BY
from probes import catalogue
from probes.result import ProbeResult
from probes.select.labels import OWN
from tests.probes.real import real_context
from tests.rungs.network import Member, Namespace
from tests.rungs.nodes import Lab
from tests.rungs.programs.processes import wait_until
from tests.rungs.story import deployment

Story = tuple[Lab, httpx.Client, list[dict[str, Any]]]


def ours(http: httpx.Client) -> list[str]:
    """What is in the cluster with our label, being deleted or not."""
    found = []
    for plural in ("pods", "configmaps"):
        answer = (
            http.get(f"/api/v1/{plural}", params={"labelSelector": f"{MANAGED_BY}={OWN}"})
            .raise_for_status()
            .json()
        )
        found += [f"{plural}/{item['metadata']['name']}" for item in answer["items"]]
    return found


async def measure(lab: Lab, name: str, **arguments: str) -> ProbeResult:
    """Plan and run one probe on the lab as a human who agrees; in read-only mode wherever that is
    enough."""
    async with real_context(
        lab.cluster.kubeconfig, write=arguments.get("how") == "ephemeral"
    ) as context:
        plan = await catalogue.plan(name, context, arguments)
        assert plan.refused == "", plan.refused
        assert all(planned.accepted for planned in plan.creates), plan.creates
        return await asyncio.wait_for(catalogue.run(plan, context), 150)


def told(result: ProbeResult) -> str:
    """The whole answer, for a failing test."""
    seconds = (result.finished - result.started).total_seconds()
    return "\n".join(
        [
            f"{result.probe}: {seconds:.1f} s, {result.requests} requests, created "
            f"{len(result.created)}, left {len(result.left_behind)}",
            *(
                f"{c.source} -> {c.target}: {dict(c.results)} {[t.ms for t in c.tries]}"
                for c in result.cells
            ),
            *map(str, result.conclusions),
            *result.problems,
        ]
    )


@contextmanager
def pod_on_each(
    lab: Lab, http: httpx.Client, namespace: str, app: str
) -> Iterator[dict[str, dict[str, Any]]]:
    """A sleeping pod with the label app=`app` on each node; yields node -> ready pod and removes
    them."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    names = {node: f"{app}-{node}" for node in lab.members}
    pods = f"/api/v1/namespaces/{namespace}/pods?labelSelector=app%3D{app}"
    found: dict[str, dict[str, Any]] = {}
    try:
        for node, name in names.items():
            http.post(
                path, json=deployment(namespace, name, node, ["sleep", "2147483647"])
            ).raise_for_status()

        def ready() -> bool:
            for pod in http.get(pods).raise_for_status().json()["items"]:
                if {"type": "Ready", "status": "True"}.items() <= _condition(pod, "Ready").items():
                    found[pod["spec"]["nodeName"]] = pod
            return len(found) == len(names)

        wait_until(ready, f"the pods {app} ready", limit=120)
        yield found
    finally:
        for name in names.values():
            http.delete(f"{path}/{name}", params={"propagationPolicy": "Background"})
        wait_until(lambda: not http.get(pods).json()["items"], f"the pods {app} gone", limit=120)


@contextmanager
def service(http: httpx.Client, namespace: str, name: str, **spec: Any) -> Iterator[None]:
    """A Service for the length of the block."""
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": namespace, "name": name},
        "spec": spec,
    }
    http.post(f"/api/v1/namespaces/{namespace}/services", json=body).raise_for_status()
    try:
        yield
    finally:
        http.delete(f"/api/v1/namespaces/{namespace}/services/{name}").raise_for_status()


async def endpoints(http: httpx.Client, namespace: str, name: str, count: int) -> None:
    """Wait until the Service has that many endpoints."""
    path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
    selector = {"labelSelector": f"kubernetes.io/service-name={name}"}

    def there() -> bool:
        slices = http.get(path, params=selector).raise_for_status().json()["items"]
        return sum(len(each.get("endpoints") or ()) for each in slices) >= count

    await asyncio.to_thread(wait_until, there, f"{count} endpoints of {namespace}/{name}", limit=60)


@contextmanager
def serving(enter: Sequence[str], code: str, *arguments: str) -> Iterator[None]:
    """A Python program in another network for the length of the block; it prints "ready" and ends
    with its standard input."""
    argv = [*enter, sys.executable, "-c", code, *arguments]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            yield
        finally:
            process.stdin.close()
            process.wait(10)


def inside_pod(member: Member, address: str) -> tuple[str, ...]:
    """The command prefix for the network of the pod that has this address on that node."""
    for name in member.namespace.run("ls", "/run/netns").split():
        shown = json.loads(
            member.namespace.run("ip", "-json", "-n", name, "-4", "address", "show", "dev", "eth0")
        )
        if any(entry["local"] == address for device in shown for entry in device["addr_info"]):
            return (*member.namespace.enter, "ip", "netns", "exec", name)
    raise AssertionError(f"no network of {address} on {member.name}")


@contextmanager
def rule(namespace: Namespace, *arguments: str, table: str = "filter") -> Iterator[None]:
    """An iptables rule, first in its chain, for the length of the block."""
    namespace.run("iptables", "-t", table, "-I", *arguments)
    try:
        yield
    finally:
        namespace.run("iptables", "-t", table, "-D", *arguments)


def _condition(pod: dict[str, Any], kind: str) -> dict[str, Any]:
    conditions: list[dict[str, Any]] = pod["status"].get("conditions", [])
    return next((each for each in conditions if each["type"] == kind), {})
