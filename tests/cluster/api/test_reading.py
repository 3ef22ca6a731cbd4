"""Logs and single readings: parsed, cleaned, capped, and never the values of a Secret."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from aiohttp import web

from cluster.api.logs import LogLine, follow_logs, parse_line, read_logs
from cluster.api.reads import get_object, node_text, object_path, pod_text
from cluster.api.transport import Api
from cluster.errors import NotFound, Refused, ServerError
from cluster.kube.kinds import BY_NAME
from tests.cluster.fake import FakeCluster, Handler, answering


def text(body: bytes) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body)

    return answer


async def test_logs(fake: FakeCluster, api: Api) -> None:
    fake.answers.append(
        text(
            b"2026-11-21T03:00:00.123456789Z boom \x1b[31mred\nplain "
            b"\x9d0;x\x07line\n2026-11-21T03:00:01Z \n"
        )
    )
    logs = await read_logs(api, "shop", "web-1", "app", tail=3, previous=True, since_seconds=60)
    assert logs.lines == (
        LogLine(datetime(2026, 11, 21, 3, 0, 0, 123456, tzinfo=UTC), "boom red"),
        LogLine(None, "plain \ufffd0;x\\x07line"),
        LogLine(datetime(2026, 11, 21, 3, 0, 1, tzinfo=UTC), ""),
    )
    assert not logs.truncated
    query = fake.requests[-1].query
    assert {key: query[key] for key in ("container", "tailLines", "previous", "sinceSeconds")} == {
        "container": "app",
        "tailLines": "3",
        "previous": "true",
        "sinceSeconds": "60",
    }


async def test_logs_are_capped(fake: FakeCluster, api: Api) -> None:
    fake.answers.append(text(b"x\n" * 100))
    assert (await read_logs(api, "shop", "web-1", cap=50)).truncated
    assert fake.requests[-1].query["limitBytes"] == "50"


async def test_no_previous_run_is_said(fake: FakeCluster, api: Api) -> None:
    fake.answers.append(
        answering(400, "BadRequest", 'previous terminated container "app" in pod "web-1" not found')
    )
    with pytest.raises(Exception, match="previous terminated container"):
        await read_logs(api, "shop", "web-1", previous=True)


async def test_following(fake: FakeCluster, api: Api) -> None:
    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"2026-11-21T03:00:00Z one\n2026-11-21T03:00:01Z two\n")
        return response

    fake.answers.append(stream)
    lines = [each async for group in follow_logs(api, "shop", "web-1") for each in group]
    assert [parse_line(line).text for line in lines] == ["one", "two"]


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
async def test_values_are_never_asked_for(fake: FakeCluster, api: Api, kind: str) -> None:
    with pytest.raises(Refused, match="never read"):
        await get_object(api, BY_NAME[kind], "shop", "db")
    assert fake.requests == []


async def test_an_object_comes_without_managed_fields_and_last_applied(
    fake: FakeCluster, api: Api
) -> None:
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "keep": "\x1b[1mbold"}

    async def answer(_: web.Request) -> web.Response:
        return web.json_response(
            {
                "kind": "Pod",
                "metadata": {"name": "web-1", "managedFields": [{}], "annotations": annotations},
            }
        )

    fake.answers.append(answer)
    found = await get_object(api, BY_NAME["Pod"], "shop", "web-1")
    assert found == {"kind": "Pod", "metadata": {"name": "web-1", "annotations": {"keep": "bold"}}}


@pytest.mark.parametrize(
    ("kind", "namespace", "shown"),
    [("Node", "", "get Node web-1: "), ("Pod", "shop", "get Pod shop/web-1: ")],
)
async def test_an_answer_that_is_no_object_names_what_was_asked_for(
    fake: FakeCluster, api: Api, kind: str, namespace: str, shown: str
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response([1])

    fake.answers.append(answer)
    with pytest.raises(ServerError, match=f"^{shown}the answer is not an object"):
        await get_object(api, BY_NAME[kind], namespace, "web-1")


async def test_paths() -> None:
    assert (
        object_path(BY_NAME["Deployment"], "shop", "web", "scale")
        == "/apis/apps/v1/namespaces/shop/deployments/web/scale"
    )
    assert object_path(BY_NAME["Node"], "", "node-1") == "/api/v1/nodes/node-1"


async def test_pages_through_the_proxy(fake: FakeCluster, api: Api) -> None:
    fake.answers.extend([text(b"a 1\n"), text(b"b 2\n")])
    assert await node_text(api, "node-1", "metrics/cadvisor") == ("a 1\n", False)
    assert await pod_text(api, "kube-system", "coredns-1", 9153, "metrics") == ("b 2\n", False)
    assert [request.path for request in fake.requests] == [
        "/api/v1/nodes/node-1/proxy/metrics/cadvisor",
        "/api/v1/namespaces/kube-system/pods/coredns-1:9153/proxy/metrics",
    ]
    with pytest.raises(NotFound):
        await node_text(api, "node-9", "healthz")
