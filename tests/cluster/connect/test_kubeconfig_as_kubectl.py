"""The same kubeconfig files give the same server, user and headers as with kubectl, which is asked
beside ours. The cases follow those of the tests of the official Python client."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.api.transport import Api
from cluster.connect.kubeconfig import load_access
from cluster.errors import ClusterError, KubeconfigError
from tests.cluster.certificates import make_pair
from tests.cluster.fake import FakeCluster

KUBECTL = shutil.which("kubectl") or ""
pytestmark = pytest.mark.skipif(not KUBECTL, reason="kubectl is not on PATH")

USERS: dict[str, Any] = {
    "token": {"token": "abc"},
    "token-file": {"tokenFile": "token"},
    "both": {"token": "stale", "tokenFile": "token"},
    "both-without-file": {"token": "stale", "tokenFile": "no-such-file"},
    "file-is-missing": {"tokenFile": "no-such-file"},
    "basic": {"username": "me", "password": "pass"},
    "as-user": {"token": "abc", "as": "root"},
    "as-everything": {
        "token": "abc",
        "as": "root",
        "as-uid": "42",
        "as-groups": ["dev", "ops"],
        "as-user-extra": {"scopes": ["view", "edit"], "acme.com/project": ["x y"]},
    },
    "as-groups-alone": {"token": "abc", "as-groups": ["dev"]},
    "as-extra-alone": {"token": "abc", "as-user-extra": {"scopes": ["view"]}},
    "old-provider": {"auth-provider": {"name": "gcp", "config": {"access-token": "abc"}}},
    "plugin-is-missing": {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "no-such-plugin",
            "interactiveMode": "Never",
        }
    },
    "plugin": {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "./plugin",
            "interactiveMode": "Never",
        }
    },
    "plugin-and-token": {
        "token": "abc",
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "./plugin",
            "interactiveMode": "Never",
        },
    },
    "certificate-is-missing": {"client-certificate": "no-such-file", "client-key": "none"},
}


HEADERS = {
    "token": [("authorization", "Bearer abc")],
    "plugin": [("authorization", "Bearer from-plugin")],
    "as-user": [("authorization", "Bearer abc"), ("impersonate-user", "root")],
}
"""What some of them send: where neither side sends anything, both sides agree too."""


def config(server: str, users: Mapping[str, Any], **cluster: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
        "users": [{"name": name, "user": user} for name, user in users.items()],
        "contexts": [{"name": name, "context": {"cluster": "c", "user": name}} for name in users],
    }


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[FakeCluster]:
    """A server with TLS: kubectl sends no credential without."""
    pair = make_pair(tmp_path / "server", days=30)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    server = FakeCluster(tls=context)
    await server.start()
    yield server
    await server.stop()


async def kubectl(kubeconfig: str, *arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        KUBECTL,
        *arguments,
        env={"KUBECONFIG": kubeconfig, "HOME": "/nonexistent", "PATH": "/usr/bin:/bin"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    stdout, _ = await process.communicate()
    return process.returncode or 0, stdout.decode()


def headers(fake: FakeCluster) -> list[tuple[str, str]]:
    """What the last request said about its sender; order does not count between names."""
    found = fake.requests[-1].headers
    return sorted(
        (name.lower(), value)
        for name, value in found.items()
        if name.lower() == "authorization" or name.lower().startswith("impersonate-")
    )


@pytest.mark.parametrize("name", USERS)
async def test_the_same_headers_are_sent(tmp_path: Path, server: FakeCluster, name: str) -> None:
    (tmp_path / "token").write_text("fresh\n")
    status = {"token": "from-plugin"}
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
    plugin = tmp_path / "plugin"
    plugin.write_text(f"#!/bin/sh\necho '{json.dumps(answer | {'status': status})}'\n")
    plugin.chmod(0o755)
    path = tmp_path / "config"
    document = config(server.url, USERS, **{"insecure-skip-tls-verify": True})
    path.write_text(yaml.safe_dump(document))
    code, _ = await kubectl(str(path), "--context", name, "get", "--raw", "/api/v1/pods")
    theirs = headers(server) if code == 0 else None
    asked = len(server.requests)
    try:
        api = Api(load_access(name, explicit=str(path), environ={}))
        await api.get_json("/api/v1/pods")
        await api.aclose()
        ours = headers(server)
    except ClusterError:
        assert len(server.requests) == asked, "nothing is sent without a credential"
        ours = None
    assert ours == theirs
    if name in HEADERS:
        assert ours == HEADERS[name], "kubectl and the server of this test work"


FILES: dict[str, tuple[str | dict[str, Any], ...]] = {
    "one": (config("https://a", {"u": {}}),),
    "two": (config("https://a", {"u": {}}), config("https://b", {"u": {}, "v": {}})),
    "empty first": ("", config("https://b", {"u": {}})),
    "comment first": ("# nothing here\n", config("https://b", {"u": {}})),
    "marker first": ("---\n", config("https://b", {"u": {}})),
    "null last": (config("https://b", {"u": {}}), "null\n"),
    "second document": (
        yaml.safe_dump_all([config("https://a", {"u": {}}), config("https://b", {"u": {}})]),
    ),
    "second document is broken": (
        yaml.safe_dump(config("https://a", {"u": {}})) + "---\nclusters: [\n",
    ),
    "comment before a marker": ("# mine\n---\n" + yaml.safe_dump(config("https://a", {"u": {}})),),
    "JSON with tabs": (json.dumps(config("https://a", {"u": {}}), indent="\t"),),
    "a trailing slash": (config("https://a/k8s/clusters/c-1/", {"u": {}}),),
    "no list of users": (
        {k: v for k, v in config("https://a", {"u": {}}).items() if k != "users"},
    ),
    "lists are null": (config("https://a", {"u": {}}) | {"preferences": None, "extensions": None},),
    "entry is null": (
        config("https://a", {"u": {}}),
        {"clusters": [{"name": "d", "cluster": None}]},
    ),
    "a list of words": ("- a\n- b\n",),
    "a word": ("hello\n",),
    "broken YAML": ("clusters: [",),
    "insecure as text": (config("https://a", {"u": {}}, **{"insecure-skip-tls-verify": "false"}),),
    "compression as text": (config("https://a", {"u": {}}, **{"disable-compression": "true"}),),
    "CA that is missing": (
        config("https://a", {"u": {}}, **{"certificate-authority": "no-such-file"}),
    ),
    "CA that is not base64": (
        config("https://a", {"u": {}}, **{"certificate-authority-data": "%%%"}),
    ),
}


@pytest.mark.parametrize("name", FILES)
async def test_the_same_server_is_chosen(tmp_path: Path, name: str) -> None:
    paths = []
    for number, content in enumerate(FILES[name]):
        paths.append(tmp_path / f"config-{number}")
        paths[-1].write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    kubeconfig = ":".join(map(str, [tmp_path / "no-such-file", *paths]))
    code, text = await kubectl(
        kubeconfig, "--context", "u", "config", "view", "--minify", "--raw", "-o", "json"
    )
    found = json.loads(text) if code == 0 else {}
    theirs = {each["cluster"]["server"].rstrip("/") for each in found.get("clusters") or ()}
    try:
        ours = {load_access("u", environ={"KUBECONFIG": kubeconfig}).server}
    except KubeconfigError as error:
        if error.args[0].startswith(("certificate-authority", "Context 'u' names user")):
            return  # kubectl shows such a configuration and fails when it is used
        ours = set()
    assert ours == theirs
    if name in ("one", "two", "comment first"):
        assert ours == {"https://a" if name != "comment first" else "https://b"}


def test_data_wins_over_a_file_and_paths_follow_their_own_file(tmp_path: Path) -> None:
    pair = make_pair(tmp_path / "pki", days=30)
    data = base64.b64encode(pair.certificate.read_bytes()).decode()
    user = {"client-certificate": "pki/me.crt", "client-key": "pki/me.key", "tokenFile": "token"}
    document = config(
        "https://a",
        {"u": user},
        **{"certificate-authority-data": data, "certificate-authority": "no-such-file"},
    )
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(document))
    access = load_access("u", explicit=str(path), environ={})
    assert access.trust.ca_pem == pair.certificate.read_bytes()
    assert access.user.certificate_file == tmp_path / "pki" / "me.crt"
    assert access.user.token_file == tmp_path / "token"


def test_a_certificate_without_its_key_is_refused_when_the_kubeconfig_is_read(
    tmp_path: Path,
) -> None:
    pair = make_pair(tmp_path / "pki", days=30)
    path = tmp_path / "config"
    path.write_text(
        yaml.safe_dump(
            config("https://127.0.0.1:6443", {"u": {"client-certificate": str(pair.certificate)}})
        )
    )
    with pytest.raises(KubeconfigError, match="'u' has a client certificate without a key"):
        load_access("u", explicit=str(path), environ={})
