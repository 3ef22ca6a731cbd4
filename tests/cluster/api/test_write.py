"""The write door: what it refuses is never sent, and nothing else in the program sends anything but
GET."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from cluster.api.mode import (
    EXPIRES_AT,
    JSON_PATCH,
    MANAGED_BY,
    MERGE_PATCH,
    STRATEGIC_PATCH,
    Mode,
    Purpose,
)
from cluster.api.transport import Api, Limits
from cluster.api.write import Writer
from cluster.connect.access import Access
from cluster.errors import Conflict, OutcomeUnknown, Refused, Unreachable
from tests.cluster.fake import FakeCluster, answering

NODE = "/api/v1/nodes/node-1"
PODS = "/api/v1/namespaces/shop/pods"
CONFIGMAPS = "/api/v1/namespaces/shop/configmaps"
EVICT = f"{PODS}/web-1/eviction"


def probe(**changes: Any) -> dict[str, Any]:
    meta = {
        "name": "stanch-probe-abc",
        "labels": {MANAGED_BY: "stanch"},
        "annotations": {EXPIRES_AT: "2026-11-21T03:20:00Z"},
    }
    spec = {"activeDeadlineSeconds": 600, "containers": [{"name": "probe", "image": "i"}]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta | changes.pop("metadata", {}),
        "spec": spec | changes.pop("spec", {}),
        **changes,
    }


@pytest.fixture
def sent(fake: FakeCluster) -> list[web.Request]:
    """Requests that could change something."""

    class Changing(list[web.Request]):
        def __len__(self) -> int:
            return len([request for request in fake.requests if request.method != "GET"])

    return Changing()


def accepting(store: list[Any]) -> Callable[[web.Request], Any]:
    async def accept(request: web.Request) -> web.Response:
        store.append(
            (
                request.method,
                request.path,
                dict(request.query),
                await request.json(),
                request.headers.get("Content-Type"),
            )
        )
        return web.json_response(
            {
                "kind": "Thing",
                "metadata": {"name": "x\x1b[31m"},
                "status": {"allowed": True, "reason": "ok"},
            }
        )

    return accept


@pytest.mark.parametrize("mode", [None, "write ", "true", 1])
async def test_an_unknown_mode_refuses_everything(
    api: Api, sent: list[web.Request], mode: Any
) -> None:
    writer = Writer(api, mode)
    for attempt in (
        writer.patch(NODE, {}, purpose=Purpose.ACTION),
        writer.patch(NODE, {}, purpose=Purpose.ACTION, dry_run=True),
        writer.create(PODS, probe(), purpose=Purpose.DEBUG_POD),
        writer.delete(f"{PODS}/stanch-probe-abc", purpose=Purpose.DEBUG_POD),
        writer.review("get", "pods"),
    ):
        with pytest.raises(Refused, match="mode is not known"):
            await attempt
    assert len(sent) == 0


async def test_read_only_refuses_actions(api: Api, sent: list[web.Request]) -> None:
    writer = Writer(api, Mode.READ_ONLY, Purpose.ACTION)
    for attempt in (
        writer.patch(NODE, {"spec": {}}),
        writer.create(EVICT, {}),
        writer.delete(f"{PODS}/web-1"),
    ):
        with pytest.raises(Refused, match="read-only mode; start with --write"):
            await attempt
    assert len(sent) == 0


async def test_no_purpose_no_change(api: Api, sent: list[web.Request]) -> None:
    with pytest.raises(Refused, match="purpose is not known"):
        await Writer(api, Mode.WRITE).patch(NODE, {})
    with pytest.raises(Refused, match="purpose is not known"):
        await Writer(api, Mode.WRITE, "action?").patch(NODE, {})  # type: ignore[arg-type]  # test data
    assert len(sent) == 0


async def test_write_mode_sends_with_our_name_and_strictly(fake: FakeCluster, api: Api) -> None:
    seen: list[Any] = []
    fake.answers.extend([accepting(seen)] * 3)
    writer = Writer(api, Mode.WRITE, Purpose.ACTION)
    answer = await writer.patch(NODE, {"spec": {"unschedulable": True}})
    await writer.create(EVICT, {"kind": "Eviction"})
    await writer.delete(f"{PODS}/web-1", uid="u-1", grace_seconds=0)
    assert answer["metadata"]["name"] == "x"
    settings = {"fieldManager": "stanch", "fieldValidation": "Strict"}
    assert seen[0] == (
        "PATCH",
        NODE,
        settings,
        {"spec": {"unschedulable": True}},
        "application/merge-patch+json",
    )
    assert seen[1][:3] == ("POST", EVICT, settings)
    assert seen[2][3]["preconditions"] == {"uid": "u-1"}
    assert seen[2][3]["gracePeriodSeconds"] == 0


async def test_dry_runs_and_reviews_pass_in_read_only_mode(fake: FakeCluster, api: Api) -> None:
    seen: list[Any] = []
    fake.answers.extend([accepting(seen)] * 3)
    writer = Writer(api, Mode.READ_ONLY, Purpose.ACTION)
    await writer.patch(NODE, {}, dry_run=True)
    await writer.delete(f"{PODS}/web-1", dry_run=True)
    assert [query["dryRun"] for _, _, query, _, _ in seen] == ["All", "All"]
    assert seen[1][3]["dryRun"] == ["All"], "a server reads the options of a deletion from its body"
    assert await writer.review("create", "pods", subresource="exec", namespace="shop") == (
        True,
        "ok",
    )
    assert seen[2][3]["spec"] == {
        "resourceAttributes": {
            "verb": "create",
            "resource": "pods",
            "subresource": "exec",
            "namespace": "shop",
        }
    }


async def test_a_review_that_is_none_is_refused(api: Api, sent: list[web.Request]) -> None:
    with pytest.raises(Refused, match="announced as an access review"):
        await Writer(api, Mode.WRITE).create(PODS, probe(), purpose=Purpose.REVIEW)
    assert len(sent) == 0


EPHEMERAL = f"{PODS}/web-1/ephemeralcontainers"


def ephemeral(**changes: Any) -> dict[str, Any]:
    container = {
        "name": "stanch-probe-abc",
        "image": "i",
        "imagePullPolicy": "Never",
        "command": ["sleep", "300"],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    return {"spec": {"ephemeralContainers": [container | changes]}}


def confined(**changes: Any) -> dict[str, Any]:
    context = ephemeral()["spec"]["ephemeralContainers"][0]["securityContext"]
    return ephemeral(securityContext=context | changes)


async def test_one_restricted_ephemeral_container_passes_for_a_probe(
    fake: FakeCluster, api: Api
) -> None:
    seen: list[Any] = []
    fake.answers.append(accepting(seen))
    writer = Writer(api, Mode.WRITE, Purpose.DEBUG_POD)
    await writer.patch(EPHEMERAL, ephemeral(), content_type=STRATEGIC_PATCH)
    assert [(method, path, body, kind) for method, path, _, body, kind in seen] == [
        ("PATCH", EPHEMERAL, ephemeral(), STRATEGIC_PATCH)
    ]
    assert [request.method for request in fake.requests] == ["PATCH"], (
        "the pod of another owner need not carry our label"
    )


async def test_what_cannot_be_removed_again_needs_write(
    fake: FakeCluster, api: Api, sent: list[web.Request]
) -> None:
    writer = Writer(api, Mode.READ_ONLY, Purpose.DEBUG_POD)
    with pytest.raises(
        Refused,
        match=(
            "read-only mode, and an ephemeral container stays in the pod for good; "
            "start with --write"
        ),
    ):
        await writer.patch(EPHEMERAL, ephemeral(), content_type=STRATEGIC_PATCH)
    assert len(sent) == 0
    seen: list[Any] = []
    fake.answers.append(accepting(seen))
    await writer.patch(EPHEMERAL, ephemeral(), content_type=STRATEGIC_PATCH, dry_run=True)
    assert [query["dryRun"] for _, _, query, _, _ in seen] == ["All"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (ephemeral(name="debugger"), "named stanch-probe-"),
        (ephemeral(name=None), "named stanch-probe-"),
        (ephemeral(command=["sh", "-c", "reboot"]), "only sleeps"),
        (ephemeral(command=["sleep", "86400"]), "an hour at most"),
        (ephemeral(command=None), "only sleeps"),
        (ephemeral(securityContext=None), "restricted security context"),
        (confined(privileged=True), "restricted security context"),
        (confined(allowPrivilegeEscalation=True), "restricted security context"),
        (
            confined(capabilities={"drop": ["ALL"], "add": ["NET_ADMIN"]}),
            "restricted security context",
        ),
        (confined(runAsUser=0), "does not run as root"),
        (ephemeral(volumeMounts=[{"name": "token", "mountPath": "/t"}]), "has no volumeMounts"),
        (ephemeral(env=[{"name": "A", "value": "b"}]), "has no env"),
        (ephemeral(targetContainerName="app"), "has no targetContainerName"),
        ({"spec": {"ephemeralContainers": []}}, "one ephemeral container"),
        (
            {"spec": {"ephemeralContainers": ephemeral()["spec"]["ephemeralContainers"] * 2}},
            "one ephemeral container",
        ),
        ({"spec": {**ephemeral()["spec"], "activeDeadlineSeconds": 1}}, "changes nothing else"),
        ({**ephemeral(), "metadata": {"labels": {"app": "x"}}}, "changes nothing else"),
        ({"spec": {"ephemeralContainers": ["x"]}}, "one ephemeral container"),
        ([{"op": "add"}], "one ephemeral container"),
    ],
)
async def test_no_other_change_passes_with_it(
    api: Api, sent: list[web.Request], body: Any, why: str
) -> None:
    for mode in (Mode.READ_ONLY, Mode.WRITE):
        with pytest.raises(Refused, match=why):
            await Writer(api, mode, Purpose.DEBUG_POD).patch(
                EPHEMERAL, body, content_type=STRATEGIC_PATCH
            )
    assert len(sent) == 0


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        (EPHEMERAL, MERGE_PATCH),
        (EPHEMERAL, JSON_PATCH),
        (f"{PODS}/web-1", STRATEGIC_PATCH),
        (f"{PODS}/web-1/resize", STRATEGIC_PATCH),
        (f"{PODS}/web-1/ephemeralcontainers/x", STRATEGIC_PATCH),
        ("/api/v1/namespaces/shop/services/web-1/ephemeralcontainers", STRATEGIC_PATCH),
    ],
)
async def test_the_container_passes_on_its_own_path_alone(
    api: Api, sent: list[web.Request], path: str, content_type: str
) -> None:
    with pytest.raises(Refused):
        await Writer(api, Mode.WRITE, Purpose.DEBUG_POD).patch(
            path, ephemeral(), content_type=content_type
        )
    assert len(sent) == 0


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (probe(metadata={"name": "web-1"}), "named stanch-probe-"),
        (probe(metadata={"labels": {}}), "carry the label"),
        (probe(metadata={"annotations": {}}), "carry the annotation"),
        (probe(spec={"activeDeadlineSeconds": 0}), "activeDeadlineSeconds"),
        (probe(spec={"activeDeadlineSeconds": 86400}), "activeDeadlineSeconds"),
        (probe(spec={"hostPID": True}), "have no access to the node"),
        (
            probe(spec={"volumes": [{"name": "x", "hostPath": {"path": "/"}}]}),
            "have no access to the node",
        ),
        (
            probe(spec={"containers": [{"name": "p", "securityContext": {"privileged": True}}]}),
            "not privileged",
        ),
        (probe(kind="Deployment"), "not an object of that kind"),
    ],
)
async def test_what_is_no_probe_pod_is_not_created(
    api: Api, sent: list[web.Request], body: dict[str, Any], why: str
) -> None:
    with pytest.raises(Refused, match=why):
        await Writer(api, Mode.WRITE, Purpose.DEBUG_POD).create(PODS, body)
    assert len(sent) == 0


@pytest.mark.parametrize(
    "path",
    [
        "/apis/apps/v1/namespaces/shop/deployments",
        "/api/v1/namespaces/shop/secrets",
        EVICT,
        "/api/v1/nodes",
        f"{PODS}/../secrets",
        f"{PODS}?dryRun=All",
        f"{PODS}/stanch-probe-abc/ephemeralcontainers",
        "",
    ],
)
async def test_probes_stay_within_pods_and_their_owners(
    api: Api, sent: list[web.Request], path: str
) -> None:
    writer = Writer(api, Mode.WRITE, Purpose.DEBUG_POD)
    with pytest.raises(Refused):
        await writer.create(path, probe())
    with pytest.raises(Refused):
        await writer.delete(path)
    assert len(sent) == 0


async def test_a_probes_configmap_holds_nothing(fake: FakeCluster, api: Api) -> None:
    seen: list[Any] = []
    fake.answers.append(accepting(seen))
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": probe()["metadata"]}
    writer = Writer(api, Mode.READ_ONLY, Purpose.DEBUG_POD)
    await writer.create(CONFIGMAPS, owner)
    with pytest.raises(Refused, match="holds no data"):
        await writer.create(CONFIGMAPS, owner | {"data": {"a": "b"}})
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("labels", "allowed"),
    [({MANAGED_BY: "stanch"}, True), ({}, False), ({MANAGED_BY: "helm"}, False)],
)
async def test_only_what_shows_our_label_is_deleted(
    fake: FakeCluster, api: Api, labels: dict[str, str], allowed: bool
) -> None:
    seen: list[Any] = []

    async def show(request: web.Request) -> web.Response:
        assert request.method == "GET"
        assert "PartialObjectMetadata" in request.headers["Accept"]
        return web.json_response(
            {"metadata": {"name": "stanch-probe-abc", "uid": "u-9", "labels": labels}}
        )

    fake.answers.extend([show, accepting(seen)])
    writer = Writer(api, Mode.READ_ONLY, Purpose.DEBUG_POD)
    if allowed:
        await writer.delete(f"{PODS}/stanch-probe-abc")
        assert seen[0][3]["preconditions"] == {"uid": "u-9"}
    else:
        with pytest.raises(Refused, match="not ours"):
            await writer.delete(f"{PODS}/stanch-probe-abc")
        assert seen == []


async def test_no_answer_is_unknown_and_no_connection_is_not_sent(fake: FakeCluster) -> None:
    api = Api(Access(fake.url), limits=Limits(0.5, 0.5, 0.5, 0.5))
    fake.frozen.clear()
    with pytest.raises(OutcomeUnknown, match="check before you repeat it"):
        await Writer(api, Mode.WRITE, Purpose.ACTION, 0.3).patch(NODE, {})
    with pytest.raises(Unreachable) as tried:
        await Writer(api, Mode.WRITE, Purpose.ACTION, 0.3).patch(NODE, {}, dry_run=True)
    assert not isinstance(tried.value, OutcomeUnknown), "a dry run takes no effect"
    fake.frozen.set()
    await api.aclose()
    await fake.stop()
    gone = Api(Access(fake.url), limits=Limits(0.5, 0.5, 0.5, 0.5))
    with pytest.raises(Unreachable, match="refuses") as caught:
        await Writer(gone, Mode.WRITE, Purpose.ACTION).patch(NODE, {})
    assert not isinstance(caught.value, OutcomeUnknown)
    await gone.aclose()


async def test_a_broken_connection_is_not_repeated(fake: FakeCluster, api: Api) -> None:
    async def abort(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    fake.answers.append(abort)
    with pytest.raises(OutcomeUnknown):
        await Writer(api, Mode.WRITE, Purpose.ACTION).patch(NODE, {})
    assert len([request for request in fake.requests if request.method == "PATCH"]) == 1


async def test_errors_of_the_server_come_through(fake: FakeCluster, api: Api) -> None:
    fake.answers.append(answering(409, "Conflict", "the object has been modified"))
    with pytest.raises(Conflict, match="the object has been modified"):
        await Writer(api, Mode.WRITE, Purpose.ACTION).patch(NODE, {})


def test_send_is_used_by_the_door_alone() -> None:
    root = Path(__file__).parents[3]
    users = set()
    for folder in (
        "actions",
        "cli",
        "cluster",
        "incident",
        "probes",
        "runbooks",
        "text",
        "timeline",
        "triage",
        "tui",
    ):
        for path in (root / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if (
                    isinstance(node, ast.ImportFrom)
                    and node.module == "cluster.api.transport"
                    and any(name.name == "send" for name in node.names)
                ):
                    users.add(str(path.relative_to(root)))
                if (
                    isinstance(node, ast.Attribute)
                    and node.attr in ("_exchange", "_answer", "_request")
                    and not (isinstance(node.value, ast.Name) and node.value.id == "self")
                    and path.name != "transport.py"
                ):
                    users.add(str(path.relative_to(root)))
    assert users == {"cluster/api/write.py"}


def test_no_other_module_opens_http_connections_of_its_own() -> None:
    root = Path(__file__).parents[3]
    users = set()
    for folder in (
        "actions",
        "cli",
        "cluster",
        "incident",
        "probes",
        "runbooks",
        "text",
        "timeline",
        "triage",
        "tui",
    ):
        for path in (root / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = (
                    [node.module or ""]
                    if isinstance(node, ast.ImportFrom)
                    else [a.name for a in node.names]
                    if isinstance(node, ast.Import)
                    else []
                )
                if any(
                    name.split(".")[0] in ("httpx", "aiohttp", "requests", "urllib3", "websocket")
                    for name in names
                ):
                    users.add(str(path.relative_to(root)))
    assert users == {"cluster/api/http.py", "cluster/api/websocket.py"}


@pytest.mark.parametrize(
    "command", [["--version"], ["runbooks", "list"], ["match", "--offline", "OOMKilled"]]
)
def test_commands_that_ask_no_server_do_not_load_an_http_client(command: list[str]) -> None:
    code = (
        "import contextlib, io, sys\n"
        "from cli.main import main\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    main(sys.argv[1:])\n"
        "assert not {'httpx', 'aiohttp'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code, *command], check=True)
