"""The page of a Service says how many of its endpoints are ready."""

from __future__ import annotations

import pytest

from cluster.kube.objects import Ref
from tests.triage.build import NOW, Cluster, meta
from text.lines import plain_text
from text.object_page import summary_lines


@pytest.mark.parametrize(
    ("ready", "said"),
    [((True, False, True), "2 of 3 ready"), ((False,), "0 of 1 ready"), ((), "0 of 0 ready")],
)
def test_ready_endpoints(ready: tuple[bool, ...], said: str) -> None:
    assert [text.split(maxsplit=1) for text in page(ready)] == [["endpoints", said]]


def test_without_a_slice_nothing_is_claimed() -> None:
    assert page(None) == []


def page(ready: tuple[bool, ...] | None) -> list[str]:
    """The lines about endpoints, beside a slice of another Service."""
    cluster = Cluster()
    cluster.add("Service", {"metadata": meta("web", "shop"), "spec": {"selector": {"app": "web"}}})
    for service, states in (("web", ready), ("other", (True,) * 7)):
        if states is not None:
            named = meta(f"{service}-1", "shop")
            named["labels"] = {"kubernetes.io/service-name": service}
            endpoints = [
                {"addresses": [f"10.0.0.{number}"], "conditions": {"ready": each}}
                for number, each in enumerate(states)
            ]
            cluster.add("EndpointSlice", {"metadata": named, "endpoints": endpoints, "ports": []})
    store, ref = cluster.store(), Ref("Service", "shop", "web")
    lines = summary_lines(ref, store.get(*ref), store, NOW)
    return [text for each in lines if (text := plain_text(each).strip()).startswith("endpoints")]
