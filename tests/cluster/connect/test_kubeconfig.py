"""kubeconfig as client-go reads it, and one clear sentence for whatever is wrong with it."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.connect.kubeconfig import find_paths, list_contexts, load_access
from cluster.connect.proxy import proxy_from_environment
from cluster.errors import KubeconfigError
from tests.cluster.certificates import Pair, make_pair

Doc = dict[str, Any]


def config(
    name: str = "prod", cluster: Doc | None = None, user: Doc | None = None, **context: str
) -> Doc:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": f"{name}-cluster",
                "cluster": {"server": f"https://{name}:6443", **(cluster or {})},
            }
        ],
        "users": [{"name": f"{name}-user", "user": user or {}}],
        "contexts": [
            {
                "name": name,
                "context": {"cluster": f"{name}-cluster", "user": f"{name}-user", **context},
            }
        ],
        "current-context": name,
    }


def write(path: Path, document: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    return path


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_pair(tmp_path / "pki", days=365)


def test_one_file(tmp_path: Path) -> None:
    path = write(tmp_path / "config", config(user={"token": "secret-token"}, namespace="shop"))
    access = load_access(explicit=str(path), environ={})
    assert (access.server, access.context, access.namespace) == (
        "https://prod:6443",
        "prod",
        "shop",
    )
    assert access.user.token == "secret-token"
    assert "secret-token" not in repr(access)


def test_first_file_wins_for_names_and_for_the_current_context(tmp_path: Path) -> None:
    one = write(tmp_path / "one", config("prod"))
    two = write(
        tmp_path / "two",
        config("prod", cluster={"server": "https://other:1"}) | {"current-context": "stage"},
    )
    three = write(tmp_path / "three", config("stage"))
    environ = {"KUBECONFIG": f"{one}:{tmp_path / 'missing'}:{two}:{three}"}
    assert load_access(environ=environ).server == "https://prod:6443"
    assert load_access("stage", environ=environ).server == "https://stage:6443"
    assert [(each.name, each.current) for each in list_contexts(environ=environ)] == [
        ("prod", True),
        ("stage", False),
    ]


def test_an_empty_current_context_does_not_hide_a_later_one(tmp_path: Path) -> None:
    one = write(tmp_path / "one", config("prod") | {"current-context": ""})
    two = write(tmp_path / "two", config("stage"))
    assert load_access(environ={"KUBECONFIG": f"{one}:{two}"}).context == "stage"


def test_relative_paths_are_relative_to_their_own_file(tmp_path: Path, pair: Pair) -> None:
    folder = tmp_path / "here"
    write(folder / "pki" / "ca.crt", pair.certificate.read_text())
    document = config(
        cluster={"certificate-authority": "pki/ca.crt"},
        user={"client-certificate": "pki/me.crt", "client-key": "pki/me.key"},
    )
    other = write(tmp_path / "elsewhere" / "config", config("stage"))
    path = write(folder / "config", document)
    access = load_access("prod", environ={"KUBECONFIG": f"{other}:{path}"})
    assert access.trust.ca_pem == pair.certificate.read_bytes()
    assert access.user.certificate_file == folder / "pki" / "me.crt"


def test_data_wins_over_files_and_is_decoded(tmp_path: Path, pair: Pair) -> None:
    data = base64.b64encode(pair.certificate.read_bytes()).decode()
    user = {
        "client-certificate-data": data,
        "client-certificate": "nowhere",
        "client-key-data": data,
    }
    path = write(
        tmp_path / "config", config(cluster={"certificate-authority-data": data}, user=user)
    )
    access = load_access(explicit=str(path), environ={})
    assert access.trust.ca_pem == access.user.certificate_pem == pair.certificate.read_bytes()
    assert access.user.certificate_file is None


def test_every_setting_of_the_way(tmp_path: Path) -> None:
    cluster = {
        "insecure-skip-tls-verify": True,
        "tls-server-name": "api.internal",
        "proxy-url": "http://proxy:3128",
        "disable-compression": True,
    }
    user = {
        "username": "u",
        "password": "p",
        "as": "root",
        "as-uid": "7",
        "as-groups": ["a", "b"],
        "as-user-extra": {"scopes": ["view", "edit"], "acme.com/project": ["x"]},
        "tokenFile": "tok",
    }
    access = load_access(
        explicit=str(write(tmp_path / "config", config(cluster=cluster, user=user))), environ={}
    )
    assert access.trust.insecure
    assert access.trust.server_name == "api.internal"
    assert access.proxy == "http://proxy:3128"
    assert not access.compress
    assert access.user.token_file == tmp_path / "tok"
    assert access.user.impersonation == (
        ("Impersonate-User", "root"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Group", "a"),
        ("Impersonate-Group", "b"),
        ("Impersonate-Extra-acme.com%2Fproject", "x"),
        ("Impersonate-Extra-scopes", "view"),
        ("Impersonate-Extra-scopes", "edit"),
    )
    assert "not checked" in access.warnings[0]


def test_exec_stanza(tmp_path: Path) -> None:
    extension = [{"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}}]
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "./login",
        "args": ["--cluster", "1"],
        "provideClusterInfo": True,
        "env": [{"name": "A", "value": "b"}],
        "interactiveMode": "Never",
        "installHint": "apt install login",
    }
    access = load_access(
        explicit=str(
            write(
                tmp_path / "config",
                config(cluster={"extensions": extension}, user={"exec": plugin}),
            )
        ),
        environ={},
    )
    found = access.user.exec
    assert found is not None
    assert (found.command, found.args, found.env, found.folder) == (
        "./login",
        ("--cluster", "1"),
        (("A", "b"),),
        tmp_path,
    )
    assert found.cluster_config == {"audience": "x"}


def test_in_cluster(tmp_path: Path) -> None:
    write(tmp_path / "token", "t")
    write(tmp_path / "namespace", "tools\n")
    environ = {
        "KUBECONFIG": str(tmp_path / "none"),
        "KUBERNETES_SERVICE_HOST": "fd00::1",
        "KUBERNETES_SERVICE_PORT": "443",
    }
    access = load_access(environ=environ, service_account=tmp_path)
    assert (access.server, access.namespace, access.user.token_file) == (
        "https://[fd00::1]:443",
        "tools",
        tmp_path / "token",
    )


@pytest.mark.parametrize("days", [-1, 1])
def test_a_certificate_that_ended_or_ends_soon_is_said(tmp_path: Path, days: int) -> None:
    pair = make_pair(tmp_path / "pki", days=30)
    user = {"client-certificate": str(pair.certificate), "client-key": str(pair.key)}
    path = write(tmp_path / "config", config(user=user))
    later = datetime.now(UTC) + timedelta(days=30 - days)
    (warning,) = load_access(explicit=str(path), environ={}, now=later).warnings
    assert ("ended on" if days < 0 else "ends on") in warning
    assert "'prod-user'" in warning


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("clusters: [", "not valid YAML at line"),
        ("just words", "does not have the shape"),
        ("- a\n- b", "does not have the shape"),
        ("clusters:\n- cluster: {}\nusers: 3", "does not have the shape"),
        ("", "is empty"),
        ("\x00\x01", "not valid YAML"),
    ],
)
def test_broken_files(tmp_path: Path, text: str, expected: str) -> None:
    path = write(tmp_path / "config", text)
    with pytest.raises(KubeconfigError, match=expected) as caught:
        load_access(explicit=str(path), environ={})
    assert "config" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "context", "expected"),
    [
        ({}, "nope", "Context 'nope' is not in the kubeconfig; known contexts: prod"),
        ({"current-context": ""}, "", "names no current context.*known: prod"),
        (
            {"clusters": []},
            "",
            "names cluster 'prod-cluster', which the kubeconfig does not define",
        ),
        ({"users": []}, "", "names user 'prod-user', which the kubeconfig does not define"),
        ({"clusters": [{"name": "prod-cluster", "cluster": {}}]}, "", "no usable server address"),
        ({"clusters": [{"name": "prod-cluster", "cluster": None}]}, "", "no usable server address"),
        (
            {
                "clusters": [
                    {
                        "name": "prod-cluster",
                        "cluster": {"server": "https://x", "certificate-authority": "gone"},
                    }
                ]
            },
            "",
            "cannot be read",
        ),
        (
            {
                "clusters": [
                    {
                        "name": "prod-cluster",
                        "cluster": {"server": "https://x", "certificate-authority-data": "%%%="},
                    }
                ]
            },
            "",
            "not valid base64",
        ),
        (
            {"users": [{"name": "prod-user", "user": {"auth-provider": {"name": "gcp"}}}]},
            "",
            "auth-provider 'gcp'",
        ),
        (
            {"users": [{"name": "prod-user", "user": {"client-certificate-data": "YQ=="}}]},
            "",
            "certificate without a key",
        ),
        (
            {"users": [{"name": "prod-user", "user": {"exec": {"apiVersion": "x"}}}]},
            "",
            "without a command",
        ),
    ],
)
def test_what_does_not_fit_together(
    tmp_path: Path, change: Doc, context: str, expected: str
) -> None:
    path = write(tmp_path / "config", config() | change)
    with pytest.raises(KubeconfigError, match=expected):
        load_access(context, explicit=str(path), environ={})


def test_no_kubeconfig_at_all(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match=r"No kubeconfig found.*stanch drill"):
        load_access(environ={"KUBECONFIG": str(tmp_path / "none")})
    with pytest.raises(KubeconfigError, match="does not exist; check --kubeconfig"):
        load_access(explicit=str(tmp_path / "none"), environ={})


def test_hostile_names_are_inert(tmp_path: Path) -> None:
    path = write(tmp_path / "config", config("a\x9b31mred"))
    with pytest.raises(KubeconfigError) as caught:
        load_access("nope", explicit=str(path), environ={})
    assert "\x9b" not in str(caught.value)


def test_paths_from_the_environment() -> None:
    assert find_paths({"KUBECONFIG": "/a:/b::/a"}) == (Path("/a"), Path("/b"))
    assert find_paths({}) == (Path("~/.kube/config").expanduser(),)
    assert find_paths({"KUBECONFIG": "/a"}, "/c") == (Path("/c"),)


@pytest.mark.parametrize(
    ("server", "no_proxy", "expected"),
    [
        ("https://api.example:6443", "", "http://p:3128"),
        ("https://api.example:6443", "example", ""),
        ("https://api.example:6443", ".example", ""),
        ("https://api.example:6443", "*", ""),
        ("https://10.1.2.3:6443", "10.0.0.0/8", ""),
        ("https://11.1.2.3:6443", "10.0.0.0/8", "http://p:3128"),
        ("https://127.0.0.1:6443", "", ""),
        ("https://localhost:6443", "", ""),
        ("http://api.example:80", "", ""),
    ],
)
def test_proxy_of_the_environment(server: str, no_proxy: str, expected: str) -> None:
    assert (
        proxy_from_environment(server, {"HTTPS_PROXY": "p:3128", "NO_PROXY": no_proxy}) == expected
    )
