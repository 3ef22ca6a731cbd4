"""The manager, fields and time of each change that fieldsV1 holds."""

from __future__ import annotations

from typing import Any

from drills.api.managed_fields import FieldManager, fields_v1, owned_paths, paths, record_change
from tests.drills.conftest import NOW

AT = "2026-11-21T12:00:00Z"
LATER = "2026-11-21T12:05:00Z"


def secret(*keys: str, **annotations: str) -> dict[str, Any]:
    out: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": "n"},
    }
    if annotations:
        out["metadata"]["annotations"] = annotations
    if keys:
        out["data"] = dict.fromkeys(keys, "eA==")
    return out


def test_keys_of_a_secret_are_named() -> None:
    made = record_change(
        None, secret("password", "user"), manager="helm", operation="Update", at=AT
    )
    assert made[0]["fieldsV1"] == {"f:data": {".": {}, "f:password": {}, "f:user": {}}}
    assert (made[0]["manager"], made[0]["time"]) == ("helm", AT)


def test_a_removed_key_leaves_every_manager() -> None:
    before = secret("password", "user")
    before["metadata"]["managedFields"] = record_change(
        None, before, manager="helm", operation="Update", at=AT
    )
    after = secret("user", touched="yes")
    entries = record_change(before, after, manager="controller", operation="Update", at=LATER)
    assert {e["manager"]: e["fieldsV1"] for e in entries} == {
        "helm": {"f:data": {".": {}, "f:user": {}}},
        "controller": {"f:metadata": {"f:annotations": {".": {}, "f:touched": {}}}},
    }
    assert {e["manager"]: e["time"] for e in entries} == {"helm": AT, "controller": LATER}


def test_a_change_takes_the_field_over() -> None:
    before: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d"},
        "spec": {"replicas": 2, "paused": False},
    }
    written = record_change(None, before, manager="argocd", operation="Update", at=AT)
    before["metadata"]["managedFields"] = written
    after = {**before, "spec": {"replicas": 0, "paused": False}}
    entries = {
        e["manager"]: e["fieldsV1"]
        for e in record_change(before, after, manager="kubectl-scale", operation="Update", at=LATER)
    }
    assert entries == {
        "argocd": {"f:spec": {"f:paused": {}}},
        "kubectl-scale": {"f:spec": {"f:replicas": {}}},
    }


def test_no_change_leaves_the_record_alone() -> None:
    before = secret("a")
    before["metadata"]["managedFields"] = record_change(
        None, before, manager="helm", operation="Update", at=AT
    )
    assert (
        record_change(before, secret("a"), manager="x", operation="Update", at=LATER)
        == before["metadata"]["managedFields"]
    )


def test_paths_and_fields_are_inverse() -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"labels": {"a": "b"}, "finalizers": ["x/y"]},
        "spec": {
            "containers": [
                {"name": "c", "image": "i", "ports": [{"containerPort": 80, "protocol": "TCP"}]}
            ]
        },
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    assert owned_paths(fields_v1(paths(pod))) == paths(pod)


def test_a_manager_owns_what_lies_below_its_prefix_also_where_names_have_dots() -> None:
    helm = FieldManager("helm", NOW, ("spec", "metadata.annotations.meta.helm.sh/release-name"))
    annotations = ("f:metadata", "f:annotations")
    mine = {("f:spec", "f:replicas"), (*annotations, "f:meta.helm.sh/release-name")}
    others = {(*annotations, "f:meta.helm.sh/release-name-2"), ("f:special",)}
    assert helm.owned(mine | others) == mine
