"""Expanding a claim: what it refuses, what it waits for, and what keeps the size of before."""

from __future__ import annotations

from typing import Any

import pytest

from actions import catalogue
from actions.plan import ActionPlan, Outcome
from tests.actions.fake import FakeApi, FakeJournal
from tests.actions.scenarios import STORAGE, Json, claim, labelled

PATH = "/api/v1/namespaces/shop/persistentvolumeclaims/data-db-0"


async def planned(rows: list[Json], size: str = "20Gi") -> tuple[FakeApi, ActionPlan]:
    api = FakeApi(rows)
    arguments = {"claim": "shop/data-db-0", "size": size}
    return api, await catalogue.plan("expand-claim", api.context(), arguments)


def grown(api: FakeApi, **status: Any) -> None:
    found = api.paths[PATH]
    api.put({**found, "status": {**found["status"], **status}})


@pytest.mark.parametrize(
    ("rows", "size", "word"),
    [
        ([STORAGE, claim()], "5Gi", "never shrinks"),
        ([STORAGE, claim(phase="Pending")], "20Gi", "its phase is Pending"),
        ([{**STORAGE, "allowVolumeExpansion": False}, claim()], "20Gi", "is false"),
        ([claim()], "20Gi", "StorageClass fast does not exist"),
        ([STORAGE, claim(storageClassName="")], "20Gi", "names no StorageClass"),
        ([STORAGE], "20Gi", "does not exist"),
        ([STORAGE, claim()], "much", "quantity above 0"),
    ],
)
async def test_refused(rows: list[Json], size: str, word: str) -> None:
    _, plan = await planned(rows, size)
    assert word in plan.refused


async def test_it_waits_for_the_capacity_and_has_no_undo() -> None:
    api, plan = await planned([STORAGE, claim()])
    assert plan.undo is None
    api.on_sleep = lambda: grown(api, capacity={"storage": "20Gi"})
    result = await catalogue.run(plan, plan.confirmation, api.context(), FakeJournal())
    assert result.outcome is Outcome.DONE, result.sentence
    assert result.observed == "its capacity is 20Gi"


async def test_a_file_system_that_waits_for_a_pod_is_told() -> None:
    api, plan = await planned([STORAGE, claim()])
    api.on_sleep = lambda: grown(api, conditions=[{"type": "FileSystemResizePending"}])
    result = await catalogue.run(plan, plan.confirmation, api.context(), FakeJournal())
    assert result.outcome is Outcome.DONE, result.sentence
    assert "when a pod mounts it again" in result.observed


async def test_a_driver_that_does_nothing_is_not_called_done() -> None:
    api, plan = await planned([STORAGE, claim()])
    result = await catalogue.run(plan, plan.confirmation, api.context(), FakeJournal())
    assert result.outcome is Outcome.SENT_NOT_SEEN
    assert "its capacity is 10Gi" in result.sentence


async def test_the_template_that_keeps_the_size_is_named() -> None:
    sets = [
        {
            "kind": "StatefulSet",
            "metadata": labelled(name),
            "spec": {"volumeClaimTemplates": [{"metadata": {"name": "data"}}]},
        }
        for name in ("db", "dbx")
    ]
    _, plan = await planned([STORAGE, claim(), *sets])
    (warning,) = plan.warnings
    assert warning.startswith("StatefulSet shop/db still asks")
