"""What is left of earlier probes is found beside any odd object."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from cluster.api.mode import EXPIRES_AT, MANAGED_BY
from probes.context import ProbeContext
from probes.pods.sweep import _list
from probes.select.labels import OWN

ODD: list[Any] = [None, 5, "x", [], {"metadata": "x"}, {"metadata": {"labels": "x"}}]


async def test_an_odd_object_does_not_end_the_search_for_leftovers() -> None:
    own = {"name": "probe-1", "namespace": "shop", "labels": {MANAGED_BY: OWN}}
    times = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "soon")
    far = [
        {**own, "name": f"probe-{number}", "annotations": {EXPIRES_AT: time}}
        for number, time in enumerate(times, 2)
    ]
    items = [*ODD, *({"metadata": each} for each in (own, *far, {**own, "annotations": [1]}))]

    async def get_json(*_: Any, **__: Any) -> dict[str, Any]:
        return {"items": items}

    context = cast("ProbeContext", SimpleNamespace(api=SimpleNamespace(get_json=get_json)))
    found = await _list(context, "Pod", "")
    assert {ref.name for ref in found} == {"probe-1", "probe-2", "probe-3", "probe-4"}
    assert all(each.expires is None for each in found.values())
