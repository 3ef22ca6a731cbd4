"""What a server, something in front of it, a container or a kubeconfig of others may send: each
ends as text or as a sentence, and no part of it chooses what is read."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from cluster.api.exec import ExecResult, Executor, _judge_status, _Output
from cluster.api.intermediaries import describe_intermediary
from cluster.api.logs import _parse, follow_logs, parse_line
from cluster.api.transport import JSON, PARTIAL, PARTIAL_LIST, Api, check_path
from cluster.connect.access import Access, ExecPlugin
from cluster.connect.exec_plugin import run_plugin
from cluster.connect.kubeconfig import load_access
from cluster.errors import (
    CredentialError,
    KubeconfigError,
    NotFound,
    Refused,
    ServerError,
    from_response,
)
from cluster.kube.decode import KindDecoder
from cluster.kube.kinds import BY_NAME
from cluster.kube.text import clean, clean_json
from cluster.live import list_splitter
from cluster.live.list_splitter import ListSplitter
from tests.cluster.fake import FakeCluster

DEEP = "[" * 100_000
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@given(st.dictionaries(st.text(), st.text() | st.lists(st.text())))
def test_a_json_line_that_was_cleaned_is_clean_when_it_is_decoded(document: dict[str, Any]) -> None:
    line = clean_json(clean(json.dumps(document), 0))
    found = json.loads(line)
    for text in (*found, *found.values()):
        for each in text if isinstance(text, list) else [text]:
            assert clean(each, 0) == each
    assert ":\\/\\/" not in line


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (r'{"msg":"\u001b[31mdied\u001b[0m"}', '{"msg":"died"}'),
        (r'{"dsn":"postgres:\/\/u:pw@db\/x"}', '{"dsn":"postgres://u:pw@db/x"}'),
        (r'{"msg":"say \"no\" \\u001b"}', r'{"msg":"say \"no\" \\u001b"}'),
        (r"{not json \u001b", r"{not json \u001b"),
        (r"[error] C:\users", r"[error] C:\users"),
    ],
)
def test_escapes_that_hide_characters_are_resolved_in_a_log(line: str, shown: str) -> None:
    assert _parse(line).text == shown


@pytest.mark.parametrize("name", ["..", "a/../secrets", "x?y", "a#b", "a%2fb", "a\nb", "", "."])
async def test_a_name_does_not_choose_another_object(
    name: str, fake: FakeCluster, api: Api
) -> None:
    path = f"/api/v1/namespaces/shop/pods/{name}/log"
    with pytest.raises(Refused, match="not the path"):
        await api.get_text(path)
    with pytest.raises(Refused):
        await api.get_json(f"/api/v1/namespaces/{name}/pods")
    result = await Executor(api)("shop", name, "c", ["true"])
    assert not result.ran
    assert "not the path" in result.error
    assert not fake.requests


@pytest.mark.parametrize(
    "path",
    [
        "/readyz",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node a~b",
        "/api/v1/namespaces/kube-system/pods/https:kube-proxy-x:10256/proxy/healthz",
    ],
)
def test_paths_that_lead_where_they_say(path: str) -> None:
    check_path(path, "get")


@pytest.mark.parametrize("kind", ["secrets", "configmaps"])
@pytest.mark.parametrize("form", ["", "namespaces/shop/", "watch/", "watch/namespaces/shop/"])
@pytest.mark.parametrize("name", ["", "/login", "/"])
async def test_values_are_never_asked_for(
    kind: str, form: str, name: str, fake: FakeCluster, api: Api
) -> None:
    """Whatever asks: a check of a runbook of others names a path."""
    path = f"/api/v1/{form}{kind}{name}"
    for accept in (JSON, "*/*", f"{PARTIAL},{JSON}", TABLE):
        with pytest.raises(Refused, match="never read"):
            await api.get_json(path, accept=accept)
    with pytest.raises(Refused, match="never read"):
        await api.get_text(path)
    assert not fake.requests
    for accept in (PARTIAL, PARTIAL_LIST):
        with contextlib.suppress(ServerError, NotFound):
            await api.get_json(path, accept=accept)
    assert len(fake.requests) == 2


@pytest.mark.parametrize("location", ["http://[", "http://h:x/", "\x1b]52;c;x\x07", "//", "a b"])
def test_a_redirect_to_anywhere_is_a_sentence(location: str) -> None:
    said = describe_intermediary(302, {"location": location}, DEEP.encode())
    assert "redirect" in said
    assert "\x1b" not in said


@pytest.mark.parametrize("header", ["²", "٣", "9" * 400, "-1", "inf", "Mon"])
def test_any_retry_after_is_read_or_left(header: str) -> None:
    error = from_response(429, {"retry-after": header}, DEEP.encode(), "list pods")
    assert error.retry_after is None or error.retry_after >= 0


@pytest.mark.parametrize(
    "details",
    ["no", {"causes": 1}, {"causes": ["x"]}, {"causes": [{"reason": "ExitCode", "message": "²"}]}],
)
def test_an_odd_exit_status_is_not_an_exit_code(details: Any) -> None:
    status = {"status": "Failure", "reason": "NonZeroExitCode", "details": details}
    found: ExecResult = _judge_status(json.dumps(status).encode(), "exec", _Output(10))
    assert found.exit_code is None
    assert found.error


async def test_json_nested_too_deep_is_not_json(fake: FakeCluster, api: Api) -> None:
    async def deep(_: web.Request) -> web.Response:
        return web.Response(text=DEEP)

    fake.answers.append(deep)
    with pytest.raises(ServerError, match="not JSON"):
        await api.get_json("/apis")


def test_an_object_nested_too_deep_costs_only_itself() -> None:
    decoder = KindDecoder(BY_NAME["Pod"])
    deep = '{"type":"ADDED","object":{"metadata":{"name":"a"},"x":' + DEEP + "}}"
    good = '{"type":"ADDED","object":{"metadata":{"name":"b"}}}'
    events, faulty = decoder.lines([deep.encode(), good.encode()])
    assert [e.object.metadata.name for e in events if e.object] == ["b"]
    assert faulty == 1


async def test_a_log_line_without_end_is_cut(fake: FakeCluster, api: Api) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(20):
            await answer.write(b"x" * 65_536)
        await answer.write(b"\nnext\n")
        return answer

    fake.answers.append(endless)
    lines = [each async for group in follow_logs(api, "shop", "web") for each in group]
    rows = [parse_line(line) for line in lines]
    assert len(rows) == 2
    assert len(rows[0].text) < 10_000
    assert rows[1].text == "next"


def test_a_list_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_splitter, "HELD", 1 << 20)
    splitter = ListSplitter(KindDecoder(BY_NAME["Pod"]))
    list(splitter.feed(b"[" * (1 << 20)))
    with pytest.raises(ValueError, match="no object ends"):
        list(splitter.feed(b"["))


def kubeconfig(folder: Path, cluster: dict[str, Any], **user: Any) -> Path:
    path = folder / "config"
    document = {
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.mark.parametrize(
    "cluster",
    [
        {"server": "https://h\x1b]52;c;x\x07"},
        {"server": "https://h/\u202epath"},
        {"server": "https://["},
        {"server": "https://h:port"},
        {"server": "https://h:99999"},
        {"server": f"https://{'a' * 70}.example.com"},
        {"server": "https://a..b"},
        {"server": "https://h", "proxy-url": "http://["},
        {"server": "https://h", "proxy-url": "http://p:port"},
        {"server": "https://h", "certificate-authority": "a\0b"},
    ],
)
def test_an_address_or_path_that_cannot_be_shown_is_refused(
    cluster: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(KubeconfigError) as error:
        load_access(explicit=str(kubeconfig(tmp_path, cluster)), environ={})
    assert str(error.value).isprintable()


def test_a_proxy_of_the_environment_that_is_no_address_is_a_sentence(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, {"server": "https://h"})
    with pytest.raises(KubeconfigError, match="environment"):
        load_access(explicit=str(path), environ={"HTTPS_PROXY": "http://p:port"})


def test_a_password_in_the_address_logs_in_and_is_not_shown(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, {"server": "https://me:s%40crt@h:6443"})
    access = load_access(explicit=str(path), environ={})
    assert access.server == "https://h:6443"
    assert (access.user.username, access.user.password) == ("me", "s@crt")
    assert "crt" not in repr(access)


@pytest.mark.parametrize(
    "plugin", [{"command": "a\0b"}, {"command": "true", "env": (("A=B", "x"),)}]
)
async def test_a_plugin_that_no_system_can_start_is_a_sentence(plugin: dict[str, Any]) -> None:
    stanza = ExecPlugin(api_version="client.authentication.k8s.io/v1", **plugin)
    with pytest.raises(CredentialError, match=r"cannot be started|not installed|did not print"):
        await run_plugin(Access("https://h"), stanza, 10.0)
