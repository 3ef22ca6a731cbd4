"""The four ways to change an object."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.api.patch import json_patch, merge_patch, strategic_merge
from drills.api.problems import ApiProblem

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=3), JSON, max_size=4)


def test_json_patch() -> None:
    doc = {"a": {"b": [1, 2]}, "c~/d": 1}
    done = json_patch(
        doc,
        [
            {"op": "test", "path": "/a/b/0", "value": 1},
            {"op": "add", "path": "/a/b/-", "value": 3},
            {"op": "remove", "path": "/a/b/0"},
            {"op": "replace", "path": "/c~0~1d", "value": 2},
            {"op": "copy", "from": "/a/b", "path": "/e"},
            {"op": "move", "from": "/e", "path": "/f"},
        ],
    )
    assert done == {"a": {"b": [2, 3]}, "c~/d": 2, "f": [2, 3]}
    assert doc == {"a": {"b": [1, 2]}, "c~/d": 1}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/a", "value": 2},
        {"op": "remove", "path": "/x"},
        {"op": "replace", "path": "/x", "value": 1},
        {"op": "add", "path": "x", "value": 1},
    ],
)
def test_a_json_patch_that_does_not_fit_is_invalid(operation: dict[str, object]) -> None:
    with pytest.raises(ApiProblem) as refused:
        json_patch({"a": 1}, [operation])
    assert refused.value.code == 422


@given(OBJECTS)
def test_an_empty_merge_changes_nothing(doc: dict[str, object]) -> None:
    assert merge_patch(doc, {}) == doc
    assert strategic_merge(doc, {}) == doc


@given(OBJECTS, OBJECTS)
def test_a_merge_is_idempotent(doc: dict[str, object], change: dict[str, object]) -> None:
    once = merge_patch(doc, change)
    assert merge_patch(once, change) == once


def test_strategic_merge_by_key() -> None:
    pod: dict[str, Any] = {
        "spec": {
            "containers": [{"name": "a", "image": "1", "args": ["x"]}, {"name": "b", "image": "1"}]
        }
    }
    done = strategic_merge(
        pod, {"spec": {"containers": [{"name": "b", "image": "2"}, {"name": "c", "image": "1"}]}}
    )
    assert [c["image"] for c in done["spec"]["containers"]] == ["1", "2", "1"]
    assert pod["spec"]["containers"][1]["image"] == "1"


def test_strategic_merge_deletes_replaces_and_orders() -> None:
    pod = {
        "containers": [{"name": "a"}, {"name": "b"}],
        "tolerations": [{"key": "x"}],
        "finalizers": ["f"],
    }
    done = strategic_merge(
        pod,
        {
            "$setElementOrder/containers": [{"name": "c"}, {"name": "b"}],
            "finalizers": ["g"],
            "containers": [{"name": "a", "$patch": "delete"}, {"name": "c"}],
            "tolerations": [{"key": "y"}],
        },
    )
    assert done == {
        "containers": [{"name": "c"}, {"name": "b"}],
        "tolerations": [{"key": "y"}],
        "finalizers": ["f", "g"],
    }
    assert strategic_merge({"a": {"b": 1, "c": 2}}, {"a": {"$patch": "replace", "d": 3}}) == {
        "a": {"d": 3}
    }
    assert strategic_merge(
        {"finalizers": ["f", "g"]}, {"$deleteFromPrimitiveList/finalizers": ["f"]}
    ) == {"finalizers": ["g"]}


def test_an_item_without_its_merge_key_is_refused() -> None:
    with pytest.raises(ApiProblem) as refused:
        strategic_merge({"containers": [{"name": "a"}]}, {"containers": [{"image": "2"}]})
    assert refused.value.code == 400


def test_conditions_merge_by_type() -> None:
    done = strategic_merge(
        {"conditions": [{"type": "Ready", "status": "True"}]},
        {
            "conditions": [
                {"type": "Other", "status": "False"},
                {"type": "Ready", "status": "False"},
            ]
        },
    )
    assert {c["type"]: c["status"] for c in done["conditions"]} == {
        "Ready": "False",
        "Other": "False",
    }
