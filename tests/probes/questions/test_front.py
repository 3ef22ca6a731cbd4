"""From the name to the pods, over real sockets on loopback: the innermost hop that fails owns the
fault."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from cluster.errors import ServerError
from probes import catalogue
from probes.http_probe import probe_http
from probes.result import Component, ProbeResult, ResultClass
from tests.probes.cells import meta, node, pod, service, slice_of, store
from tests.probes.fake import FakeCluster

OK = b"HTTP/1.1 200 OK\r\nServer: app\r\n\r\nhi"
BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nServer: nginx\r\n\r\n<center>nginx</center>"
DEFAULT = b"HTTP/1.1 404 Not Found\r\n\r\ndefault backend - 404"
BALANCER = "127.0.0.9"
NODES = {"node-1": "127.0.0.21", "node-2": "127.0.0.22"}
STATUS = {"kind": "Status"}
REFUSED = ServerError(
    "x",
    status=503,
    detail="error trying to reach service: dial tcp: connect: connection refused",
    body=STATUS,
)


@asynccontextmanager
async def serving(address: str, port: int, said: bytes | None) -> AsyncIterator[None]:
    """Says the same to everybody; None: accepts and stays silent."""

    open_now: set[asyncio.Task[Any] | None] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_now.add(asyncio.current_task())
        with contextlib.suppress(OSError):
            await reader.read(1000)
            if said is None:
                await reader.read()
            else:
                writer.write(said)
                await writer.drain()
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(handle, address, port)
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.gather(*(task for task in open_now if task is not None))


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("said", "verdict", "words", "well"),
    [
        (OK, ResultClass.OK, "HTTP 200", True),
        (BAD_GATEWAY, ResultClass.OK, "HTTP 502 by nginx", False),
        (DEFAULT, ResultClass.OK, "default backend", False),
        (
            b"HTTP/1.1 503 Service Unavailable\r\nVia: 1.1 envoy\r\n\r\n",
            ResultClass.OK,
            "by envoy",
            False,
        ),
        (b"SSH-2.0-OpenSSH\r\n", ResultClass.OK, "does not speak HTTP", False),
        (b"", ResultClass.RESET, "closed without an answer", False),
        (None, ResultClass.TIMEOUT_FIRST_BYTE, "no answer", False),
    ],
)
async def test_knocking(said: bytes | None, verdict: ResultClass, words: str, well: bool) -> None:
    port = free_port()
    async with serving("127.0.0.1", port, said):
        heard = await probe_http("127.0.0.1", port, limit=0.5)
    assert (heard.verdict, heard.well) == (verdict, well)
    assert words in heard.words


async def test_a_closed_port_and_a_server_without_tls() -> None:
    port = free_port()
    assert (await probe_http("127.0.0.1", port)).verdict is ResultClass.REFUSED
    async with serving("127.0.0.1", port, OK):
        assert (await probe_http("127.0.0.1", port, tls=True)).verdict is ResultClass.TLS_HANDSHAKE


@pytest.mark.parametrize("host", ["a\r\nX-Evil: 1", "a b", "a" * 70 + ".com", "a..b", "\udcff"])
async def test_a_host_that_is_none_is_not_asked_for(host: str) -> None:
    """The hosts of an Ingress become a header and a name for TLS."""
    port = free_port()
    async with serving("127.0.0.1", port, OK):
        heard = await probe_http("127.0.0.1", port, host=host, tls=True)
    assert not heard.well
    assert heard.detail.isprintable()
    assert not (await probe_http(host, port)).well


async def front(
    *,
    pods: Mapping[str, Any],
    nodes: Mapping[str, bytes],
    balancer: bytes | None = OK,
    ingress: str = "",
    **spec: Any,
) -> ProbeResult:
    """`pods` and `nodes` by node name; a node that is left out refuses, as does a balancer of
    b""."""
    port, number = free_port(), free_port()
    rows = [node(name) for name in NODES]
    for row in rows:
        row["status"]["addresses"] = [
            {"type": "InternalIP", "address": NODES[row["metadata"]["name"]]}
        ]
    backends = [(f"web-{n}", f"10.244.{n}.5", f"node-{n}") for n in (1, 2)]
    rows += [pod(name, "shop", where, ip=ip, labels={"app": "web"}) for name, ip, where in backends]
    given = service("web", "shop", selector={"app": "web"}, type="LoadBalancer", port=port, **spec)
    given["spec"]["ports"][0]["nodePort"] = number
    given["status"] = {"loadBalancer": {"ingress": [{"ip": BALANCER}]}}
    rows += [given, slice_of("web", "shop", backends)]
    if ingress:
        path = {"path": "/", "backend": {"service": {"name": "web"}}}
        rules = [{"host": ingress, "http": {"paths": [path]}}]
        rows.append({"kind": "Ingress", "metadata": meta("site", "shop"), "spec": {"rules": rules}})
    cluster = FakeCluster(store(*rows), lambda *_: "ok")
    for n in (1, 2):
        cluster.texts[f"/api/v1/namespaces/shop/pods/web-{n}:8080/proxy/"] = pods.get(
            f"node-{n}", "hi"
        )
    async with AsyncExitStack() as stack:
        for name, said in nodes.items():
            await stack.enter_async_context(serving(NODES[name], number, said))
        if balancer != b"":
            await stack.enter_async_context(serving(BALANCER, port, balancer))
        context = cluster.context()
        plan = await catalogue.plan(
            "ladder", context, {"to": "shop/site" if ingress else "shop/web"}
        )
        assert plan.refused == "", plan.refused
        assert not plan.needs_agreement
        return await catalogue.run(plan, context)


ALL = {"node-1": OK, "node-2": OK}


async def test_all_is_well() -> None:
    result = await front(pods={}, nodes=ALL)
    assert result.conclusions == ()
    assert result.complete
    assert [row.subject.name for row in result.rows] == [
        "load-balancer",
        "node-port",
        "node-port",
        "pod",
        "pod",
    ]
    assert all(row.normal for row in result.rows)


@pytest.mark.parametrize(
    ("given", "component"),
    [
        ({"pods": {}, "nodes": ALL, "balancer": BAD_GATEWAY}, "load-balancer"),
        ({"pods": {}, "nodes": ALL, "balancer": b""}, "load-balancer"),
        ({"pods": {}, "nodes": {"node-1": OK}, "balancer": BAD_GATEWAY}, "node"),
        ({"pods": {}, "nodes": {}, "balancer": BAD_GATEWAY}, "service"),
        (
            {
                "pods": {"node-1": REFUSED, "node-2": REFUSED},
                "nodes": {"node-1": BAD_GATEWAY},
                "balancer": BAD_GATEWAY,
            },
            "service",
        ),
        ({"pods": {"node-2": REFUSED}, "nodes": ALL}, "pod"),
    ],
)
async def test_the_innermost_failure_owns_it(given: dict[str, Any], component: str) -> None:
    result = await front(**given)
    assert [each.component.kind for each in result.conclusions] == [component]
    assert result.conclusions[0].evidence


async def test_a_node_without_a_pod_may_refuse_on_purpose() -> None:
    result = await front(pods={}, nodes={"node-1": OK}, externalTrafficPolicy="Local")
    assert result.conclusions[0].component == Component("node", "node-2")
    assert result.conclusions[0].confidence < 0.5
    assert "on purpose" in result.conclusions[0].claim


async def test_a_name_that_does_not_resolve() -> None:
    result = await front(pods={}, nodes=ALL, ingress="nosuch.invalid")
    assert result.conclusions[0].component == Component("dns", "nosuch.invalid")


async def test_a_wildcard_is_no_name_to_ask_for() -> None:
    result = await front(pods={}, nodes=ALL, ingress="*.invalid")
    assert not [row for row in result.rows if row.subject.name == "dns"]


async def test_pods_that_may_not_be_asked_make_it_incomplete() -> None:
    denied = ServerError(
        "x", status=503, detail="apiserver is shutting down", body={"kind": "Status"}
    )
    result = await front(pods={"node-1": denied, "node-2": denied}, nodes=ALL)
    assert not result.complete
    assert result.conclusions == ()


@pytest.mark.parametrize(
    ("to", "word"),
    [("shop/none", "no Ingress"), ("shop/inner", "no Ingress"), ("a b", "not a Kubernetes name")],
)
async def test_what_is_no_front(to: str, word: str) -> None:
    rows = store(service("inner", "shop", selector={}))
    plan = await catalogue.plan("ladder", FakeCluster(rows, lambda *_: "ok").context(), {"to": to})
    assert word in plan.refused
