"""The last rungs: what the API server's own words mean, and that no more is concluded than that
side can know."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.api.port_forward import ForwardResult
from cluster.errors import ApiError, ClusterError, Forbidden, ServerError
from probes import catalogue
from probes.questions.api_server_paths import judge
from probes.result import Component, ProbeResult, ResultClass
from tests.probes.cells import pod, service, slice_of, story
from tests.probes.fake import FakeCluster

STATUS = {"kind": "Status"}
PODS = "/api/v1/namespaces/marketplace/pods"


@pytest.mark.parametrize(
    ("status", "words", "from_server", "verdict"),
    [
        (
            503,
            "error trying to reach service: dial tcp 10.1.2.3:80: connect: connection refused",
            True,
            ResultClass.REFUSED,
        ),
        (
            503,
            "error trying to reach service: dial tcp 10.1.2.3:80: i/o timeout",
            True,
            ResultClass.TIMEOUT_CONNECT,
        ),
        (504, "context deadline exceeded", True, ResultClass.TIMEOUT_CONNECT),
        (
            503,
            "error trying to reach service: dial tcp 10.1.2.3:80: connect: no route to host",
            True,
            ResultClass.REJECTED,
        ),
        (
            503,
            "error trying to reach service: tls: first record does not look like a TLS handshake",
            True,
            ResultClass.TLS_HANDSHAKE,
        ),
        (
            503,
            'error trying to reach service: net/http: malformed HTTP response "\\x15"',
            True,
            ResultClass.OK,
        ),
        (503, 'no endpoints available for service "identity"', True, ResultClass.REFUSED),
        (503, "apiserver is shutting down", True, ResultClass.NOT_MEASURED),
        (404, "pods not found", True, ResultClass.NOT_MEASURED),
        (503, "upstream connect error", False, ResultClass.OK),
        (404, "<html>", False, ResultClass.OK),
    ],
)
def test_words(status: int, words: str, from_server: bool, verdict: ResultClass) -> None:
    assert judge(status, words, from_server=from_server)[0] is verdict


async def run(cluster: FakeCluster, forward: Any = None, **arguments: str) -> ProbeResult:
    context = cluster.context(forward=forward)
    plan = await catalogue.plan(
        "connectivity", context, {"to": "marketplace/identity-1", **arguments}
    )
    assert plan.refused == "", plan.refused
    assert plan.creates == ()
    result = await catalogue.run(plan, context)
    assert result.created == ()
    assert not [line for line in cluster.log if line != "dry-run"]
    return result


async def proxied(answer: str | ClusterError) -> ProbeResult:
    cluster = FakeCluster(story(), lambda *_: "ok")
    cluster.texts[f"{PODS}/identity-1:8080/proxy/"] = answer
    return await run(cluster, how="proxy")


async def test_an_answer_proves_the_application_and_no_more() -> None:
    result = await proxied("ok")
    assert result.conclusions[0].component == Component("none", "")
    assert result.conclusions[0].confidence <= 0.5
    assert "real clients" in result.conclusions[0].next
    assert "kubectl get --raw" in result.cells[0].command


async def test_the_applications_own_error_is_an_answer() -> None:
    assert (await proxied(ServerError("HTTP 502", status=502, detail="bad"))).cells[
        0
    ].main is ResultClass.OK


async def test_refused_points_to_port_forward() -> None:
    words = "error trying to reach service: dial tcp 10.244.1.12:8080: connect: connection refused"
    result = await proxied(ServerError("x", status=503, detail=words, body=STATUS))
    assert result.cells[0].main is ResultClass.REFUSED
    assert result.conclusions[0].confidence < 0.5, "a policy may reject the control plane's packets"
    assert "port-forward" in result.conclusions[0].next


@pytest.mark.parametrize(
    "error",
    [Forbidden("no", status=403, detail="no", body=STATUS), ApiError("x", status=500, body=STATUS)],
)
async def test_what_the_server_will_not_do_is_not_measured(error: ClusterError) -> None:
    result = await proxied(error)
    assert not result.complete
    assert [c.component.kind for c in result.conclusions] == ["not-measured"]


async def test_a_service_without_endpoints() -> None:
    rows = story(
        more=(
            service("empty", "marketplace", selector={"app": "x"}),
            slice_of("empty", "marketplace", []),
        )
    )
    cluster = FakeCluster(rows, lambda *_: "ok")
    error = ServerError(
        "x", status=503, detail='no endpoints available for service "empty:80"', body=STATUS
    )
    cluster.texts["/api/v1/namespaces/marketplace/services/empty:80/proxy/"] = error
    result = await run(cluster, to="marketplace/empty", how="proxy")
    assert result.conclusions[0].component == Component("service", "marketplace/empty")


@pytest.mark.parametrize(
    ("answer", "verdict", "component"),
    [
        (ForwardResult(True, "HTTP/1.0 200 OK\n"), ResultClass.OK, Component("none", "")),
        (
            ForwardResult(False, refused="dial tcp4 127.0.0.1:8080: connect: connection refused"),
            ResultClass.REFUSED,
            Component("pod", "marketplace/identity-1"),
        ),
        (
            ForwardResult(None, error="exec: error dialing backend"),
            ResultClass.NOT_MEASURED,
            Component("not-measured", ""),
        ),
    ],
)
async def test_port_forward(
    answer: ForwardResult, verdict: ResultClass, component: Component
) -> None:
    async def forward(namespace: str, name: str, port: int, deadline_s: float) -> ForwardResult:
        assert (namespace, name, port) == ("marketplace", "identity-1", 8080)
        return answer

    result = await run(FakeCluster(story(), lambda *_: "ok"), forward, how="port-forward")
    assert result.cells[0].main is verdict
    assert result.conclusions[0].component == component


@pytest.mark.parametrize(
    ("arguments", "denied", "word"),
    [
        ({"how": "proxy", "to": "203.0.113.9:443"}, "", "neither a pod nor a Service"),
        ({"how": "proxy"}, "get pods/proxy", "get pods/proxy is not allowed"),
        ({"how": "port-forward"}, "", "needs a connection"),
        ({"how": "proxy", "to": "marketplace/pending"}, "", "has no address"),
        ({"how": "proxy", "to": ""}, "", "is empty"),
    ],
)
async def test_refusals(arguments: dict[str, str], denied: str, word: str) -> None:
    cluster = FakeCluster(
        story(more=(pod("pending", "marketplace", ""),)),
        lambda *_: "ok",
        denied=frozenset({denied}),
    )
    plan = await catalogue.plan(
        "connectivity", cluster.context(), {"to": "marketplace/identity-1", **arguments}
    )
    assert word in plan.refused
