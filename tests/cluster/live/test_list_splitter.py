"""A list that is decoded while it comes in is the list that is decoded at once, however it is cut
and whatever stands in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.kube.decode import KindDecoder, Page
from cluster.kube.kinds import BY_NAME, Kind
from cluster.live.list_splitter import ListSplitter


def listed(kind: str, items: list[dict[str, Any]], **meta: Any) -> bytes:
    head = {
        "kind": f"{kind}List",
        "apiVersion": "v1",
        "metadata": {"resourceVersion": "77", **meta},
    }
    return json.dumps({**head, "items": items}, separators=(",", ":")).encode()


def pod(number: int, note: str = "") -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"pod-{number}",
            "namespace": "n",
            "resourceVersion": str(number),
            "annotations": {"note": note},
        }
    }


def split(kind: Kind, body: bytes, sizes: list[int], group: int) -> tuple[list[str], str, int, int]:
    """(names in order, resource version, faulty objects, number of groups) of `body`, fed in parts
    of these sizes."""
    splitter = ListSplitter(KindDecoder(kind), group)
    pages: list[Page] = []
    at = 0
    for size in sizes:
        pages += splitter.feed(body[at : at + size])
        at += size
    pages += splitter.feed(body[at:])
    pages.append(splitter.finish())
    names = [each.metadata.name for page in pages for each in page.objects]
    return names, splitter.meta.resource_version, sum(page.faulty for page in pages), len(pages)


NOTES = st.sampled_from(
    ["", '},{"metadata":{"name":"x"}}', "]}", '"items":[', "ü\u2028\\", '{"metadata":']
)


@settings(max_examples=200)
@given(
    st.lists(NOTES, max_size=12), st.lists(st.integers(1, 300), max_size=20), st.integers(1, 400)
)
def test_any_cut_gives_the_same_objects(notes: list[str], sizes: list[int], group: int) -> None:
    items = [pod(number, note) for number, note in enumerate(notes)]
    names, version, faulty, _ = split(BY_NAME["Pod"], listed("Pod", items), sizes, group)
    assert (names, version, faulty) == ([item["metadata"]["name"] for item in items], "77", 0)


def test_a_list_comes_in_groups() -> None:
    body = listed("Pod", [pod(number, "x" * 500) for number in range(100)])
    *_, groups = split(BY_NAME["Pod"], body, [1000] * 60, 4000)
    assert groups >= 10


def test_objects_that_hold_objects_with_metadata_are_not_cut_in_the_middle() -> None:
    claims = [{"metadata": {"name": f"claim-{number}"}, "spec": {}} for number in range(9)]
    sets = [
        {
            "metadata": {"name": f"set-{number}", "namespace": "n"},
            "spec": {"volumeClaimTemplates": claims},
        }
        for number in range(20)
    ]
    names, *_ = split(BY_NAME["StatefulSet"], listed("StatefulSet", sets), [97] * 200, 300)
    assert names == [f"set-{number}" for number in range(20)]


def test_one_broken_object_does_not_take_its_group_with_it() -> None:
    items = [pod(number) for number in range(9)]
    items[4]["spec"] = {"containers": "none"}
    items[6]["metadata"] = 3  # what a broken server sends
    names, _, faulty, _ = split(BY_NAME["Pod"], listed("Pod", items), [50] * 40, 200)
    assert names == [f"pod-{number}" for number in range(9) if number != 6]
    assert faulty == 1


@pytest.mark.parametrize("indent", [None, 2])
def test_a_list_that_is_written_otherwise_is_read_as_a_whole(indent: int | None) -> None:
    """Whitespace, and the items before the metadata."""
    body = json.dumps(
        {"items": [pod(1), pod(2)], "metadata": {"resourceVersion": "5"}}, indent=indent
    ).encode()
    names, version, *_ = split(BY_NAME["Pod"], body, [10], 100)
    assert (names, version) == (["pod-1", "pod-2"], "5")


@pytest.mark.parametrize(
    "body",
    [b"<html>login</html>", b"", b'{"kind":"Status"', b'{"items":[{"metadata":{"name":"a"}},'],
)
def test_what_is_no_list_is_said(body: bytes) -> None:
    with pytest.raises(ValueError, match="not a list"):
        split(BY_NAME["Pod"], body, [4], 10)
