"""A further action is one new file, its test and its runbook: the file is found, planned, run and
undone without a change anywhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from actions import catalogue, changes
from actions.plan import Outcome
from actions.planning import make_plan
from tests.actions.fake import FakeApi, FakeJournal
from tests.probes.cells import node

NEW_ACTION = '''
"""Annotate a node."""

from actions.definition import Action, Proposal
from actions.parameters import Parameter, name, text
from actions.targets import patched, read, set_field
from cluster.kube.objects import Ref


async def _build(context, values):
    ref = Ref("Node", "", values["node"])
    found = await read(context, ref)
    change = set_field(found, ("metadata", "annotations", "note"), values["note"])
    return Proposal(ref, (patched(ref, found, [change], f"kubectl annotate node {ref.name} …"),))


ACTIONS = (
    Action(
        "annotate-node",
        "Leave a note on a node.",
        (Parameter("node", "name of the node", name), Parameter("note", "the note", text)),
        "Nothing else.",
        "undo from the record",
        _build,
    ),
)
'''


async def test_a_new_file_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "annotate_node.py").write_text(NEW_ACTION)
    monkeypatch.setattr(changes, "__path__", [*changes.__path__, str(tmp_path)])
    monkeypatch.setattr(catalogue, "ACTIONS", catalogue.collect())
    api, journal = FakeApi([node("node-1"), node("node-2")]), FakeJournal()
    api.recorded = journal.recorded
    context = api.context()
    plan = await catalogue.plan("annotate-node", context, {"node": "node-1", "note": "spare"})
    result = await catalogue.run(plan, plan.confirmation, context, journal)
    assert result.outcome is Outcome.DONE, result.sentence
    assert api.paths["/api/v1/nodes/node-1"]["metadata"]["annotations"] == {"note": "spare"}
    undo = await make_plan(catalogue.ACTIONS["undo"], context, {"change": "any"})
    result = await catalogue.run(undo, undo.confirmation, context, FakeJournal())
    assert result.outcome is Outcome.DONE, result.sentence
    assert "annotations" not in api.paths["/api/v1/nodes/node-1"]["metadata"]
