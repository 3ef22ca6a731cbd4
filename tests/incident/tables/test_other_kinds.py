"""Kinds that are not watched: found by discovery, listed as the server's table; never Secrets."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.api.transport import check_path
from cluster.errors import ServerError
from cluster.kube.objects import Ref
from cluster.kube.text import clean_uncut
from incident.other_kinds import OtherKind, OtherKinds
from timeline.redaction.redact import Redactor

WIDGET = {"kind": "Widget", "name": "widgets", "namespaced": True, "verbs": ["list", "get"]}
PODS = {"kind": "Pod", "name": "pods", "namespaced": True, "verbs": ["list"]}
SECRETS = {"kind": "Secret", "name": "secrets", "namespaced": True, "verbs": ["list"]}
STATUS = {"kind": "Widget", "name": "widgets/status", "namespaced": True, "verbs": ["get"]}
ANSWERS: dict[str, Any] = {
    "/apis": {
        "groups": [
            {"preferredVersion": {"groupVersion": "example.com/v1"}},
            {"preferredVersion": {"groupVersion": "away.example.com/v1"}},
        ]
    },
    "/api/v1": {"groupVersion": "v1", "resources": [PODS, SECRETS]},
    "/apis/example.com/v1": {"groupVersion": "example.com/v1", "resources": [WIDGET, STATUS]},
    "/apis/example.com/v1/widgets": {
        "metadata": {"continue": "more"},
        "columnDefinitions": [{"name": "Name"}, {"name": "State"}, {"name": "Wide", "priority": 1}],
        "rows": [
            {
                "cells": ["blue", "password=hunter2", "x"],
                "object": {"metadata": {"namespace": "shop", "name": "blue"}},
            }
        ],
    },
    "/apis/example.com/v1/namespaces/shop/widgets/blue": {
        "metadata": {
            "name": "blue",
            "namespace": "shop",
            "managedFields": [{"manager": "x"}],
            "ownerReferences": [{"kind": "Gadget", "name": "big", "uid": "u", "controller": True}],
        },
        "spec": {"note": "hunter2", "list": [1]},
        "status": {"phase": "Stuck", "conditions": [{"type": "Ready", "reason": "Stalled"}, 7]},
    },
    "/apis/example.com/v1/namespaces/shop/widgets": {
        "items": [{"metadata": {"namespace": "shop", "name": "red"}}]
    },
}


class Api:
    async def get_json(self, path: str, *_: Any, **__: Any) -> Any:
        if path not in ANSWERS:
            raise ServerError(f"{path} does not answer", status=503)
        return ANSWERS[path]


def kinds() -> OtherKinds:
    def redact(text: str) -> str:
        return text.replace("hunter2", "⟦PASSWORD⟧")

    return OtherKinds(lambda: Api(), redact, 1.0)  # type: ignore[arg-type,return-value]  # what is asked of an Api


async def test_what_is_watched_and_what_holds_values_is_left_out() -> None:
    assert [kind.name for kind in await kinds().all()] == ["Widget"]


async def test_the_table_of_the_server_is_shown_redacted_and_cut_is_said() -> None:
    rows = await kinds().rows(OtherKind("Widget", "widgets", "example.com/v1"), ())
    assert rows.columns == ("Namespace", "Name", "State")
    assert rows.rows == (("shop", "blue", "password=⟦PASSWORD⟧"),)
    assert rows.problem == "only the first 1 are shown"
    assert rows.refs == (Ref("Widget", "shop", "blue"),)


async def test_an_object_is_read_whole_cleaned_of_managed_fields_and_redacted() -> None:
    widget = OtherKind("Widget", "widgets", "example.com/v1")
    for kind in (widget, None):
        found = await kinds().item(Ref("Widget", "shop", "blue"), kind)
        assert found.item is not None
        assert found.item.status.conditions[0].reason == "Stalled"
        assert found.item.metadata.owner_references[0].kind == "Gadget"
        assert dict(found.values) == {"status.phase": "Stuck", "spec.note": "⟦PASSWORD⟧"}
        assert "hunter2" not in found.yaml
        assert "managedFields" not in found.yaml


@pytest.mark.parametrize("kind", ["Widget", "Secret", "Nothing"])
async def test_an_object_that_cannot_be_read_says_why(kind: str) -> None:
    found = await kinds().item(Ref(kind, "shop", "gone"), None)
    assert (found.item, found.yaml) == (None, "")
    assert found.problem.startswith(f"{kind} shop/gone cannot be read: ")


async def test_a_server_without_tables_gives_names() -> None:
    rows = await kinds().rows(OtherKind("Widget", "widgets", "example.com/v1"), ("shop",))
    assert rows.rows == (("shop", "red"),)


async def test_a_kind_that_does_not_answer_says_why() -> None:
    rows = await kinds().rows(OtherKind("Gone", "gones", "away.example.com/v1"), ())
    assert rows.problem.startswith("gones cannot be listed: ")


async def test_a_cell_is_redacted_under_the_name_of_its_column() -> None:
    """`Redactor` knows a secret by its name, which stands in the head of the column."""
    redactor = Redactor(b"key", clean_uncut)
    table = {
        "columnDefinitions": [{"name": "Name"}, {"name": "Password"}, {"name": "Age"}],
        "rows": [{"cells": ["blue", "hunter2", "5m"], "object": {}}],
    }

    class Server:
        async def get_json(self, *_: Any, **__: Any) -> Any:
            return table

    found = OtherKinds(lambda: Server(), lambda text: redactor.text(text)[0], 1.0)  # type: ignore[arg-type,return-value]  # what is asked of an Api
    rows = await found.rows(OtherKind("Account", "accounts", "example.com/v1", False), ())
    ((name, password, age),) = rows.rows
    assert (name, age) == ("blue", "5m")
    assert password.startswith("⟦PASSWORD:")


@pytest.mark.parametrize("name", ["secrets?x=", "..", "widgets/../secrets", "a b", "x;reboot", ""])
@pytest.mark.parametrize("version", ["v1", "../../api/v1", "example.com/v1?", "example.com/v1"])
async def test_discovery_cannot_name_another_path(name: str, version: str) -> None:
    """An aggregated API server writes these names; they become parts of a path."""
    asked: list[str] = []
    odd = {"kind": "Odd", "name": name, "verbs": ["list"], "shortNames": 1}

    class Server:
        async def get_json(self, path: str, *_: Any, **__: Any) -> Any:
            asked.append(path)
            if path == "/apis":
                return {"groups": [{"preferredVersion": {"groupVersion": version}}]}
            return {"groupVersion": version, "resources": [odd, {"name": "odd", "verbs": 1}]}

    found = OtherKinds(lambda: Server(), str, 1.0)  # type: ignore[arg-type,return-value]  # what is asked of an Api
    assert await found.all() == ()
    for path in asked:
        check_path(path, "discovery")
