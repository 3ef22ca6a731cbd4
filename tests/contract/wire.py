"""Requests and bodies that the contract tests share; plain HTTP, nothing of the product."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

Json = dict[str, Any]

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"

_NUMBERS = itertools.count(1)


def nowhere() -> str:
    """The name of a node that never was, and another one each time.

    A real controller removes the pods of a node that it misses, at once when it has missed that
    name for 40 s already.
    """
    return f"nowhere-{next(_NUMBERS)}"


def config_map(
    name: str, *, labels: dict[str, str] | None = None, data: dict[str, str] | None = None
) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": labels or {}},
        "data": data if data is not None else {"key": "value"},
    }


def pod(
    name: str,
    *,
    node: str | None = None,
    labels: dict[str, str] | None = None,
    image: str = "stanch.test/busybox:1",
) -> Json:
    spec: Json = {
        "containers": [
            {
                "name": "main",
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "command": ["sleep", "3600"],
            }
        ],
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
    }
    if node is not None:
        spec["nodeName"] = node
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels or {}},
        "spec": spec,
    }


def create(http: httpx.Client, path: str, body: Json, **params: str) -> Json:
    """POST, and the created object."""
    answer = http.post(path, json=body, params=params)
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


def patch(
    http: httpx.Client, path: str, body: Any, kind: str = MERGE_PATCH, **params: str
) -> httpx.Response:
    return http.patch(path, content=json.dumps(body), headers={"Content-Type": kind}, params=params)


@contextmanager
def watching(
    http: httpx.Client,
    path: str,
    query: Mapping[str, str],
    *,
    seconds: int = 10,
    accept: str = "application/json",
) -> Iterator[Iterator[Json]]:
    """A watch that the server has accepted: the iterator of its events, which ends after
    `seconds`."""
    params = {"watch": "1", "timeoutSeconds": str(seconds), **query}
    with http.stream("GET", path, params=params, headers={"Accept": accept}) as answer:
        assert answer.status_code == 200, answer.read()
        yield _decoded(answer)


def _decoded(answer: httpx.Response) -> Iterator[Json]:
    pending = b""
    for chunk in answer.iter_raw():
        *lines, pending = (pending + chunk).split(b"\n")
        yield from map(json.loads, lines)


def events(
    http: httpx.Client,
    path: str,
    query: Mapping[str, str],
    *,
    seconds: int = 10,
    accept: str = "application/json",
) -> Iterator[Json]:
    """The events of a watch until it ends after `seconds`, or until the caller has seen enough."""
    with watching(http, path, query, seconds=seconds, accept=accept) as stream:
        yield from stream


def names(listed: Json) -> list[str]:
    return [item["metadata"]["name"] for item in listed["items"]]


def assert_status(answer: httpx.Response, code: int, reason: str) -> Json:
    """The answer is a metav1.Status of failure; returns it."""
    body: Json = answer.json()
    seen = (
        answer.status_code,
        body.get("kind"),
        body.get("apiVersion"),
        body.get("status"),
        body.get("code"),
        body.get("reason"),
    )
    assert seen == (code, "Status", "v1", "Failure", code, reason), answer.text
    assert body["message"]
    return body


def delete(http: httpx.Client, path: str) -> None:
    """DELETE, at once."""
    http.delete(path, params={"gracePeriodSeconds": "0"}).raise_for_status()
