"""The Audit-Id of answers goes to the task that asked for a trail, and to no other."""

from __future__ import annotations

import asyncio

from cluster.api.audit import audit_trail, note_audit_id


async def test_each_task_has_its_own_trail() -> None:
    async def ask(identifier: str) -> list[str]:
        trail = audit_trail()
        await asyncio.sleep(0)
        note_audit_id({"audit-id": f"{identifier}\x1b[2J"})
        note_audit_id({"date": "x"})
        return trail

    one, two = await asyncio.gather(ask("one"), ask("two"))
    assert (len(one), len(two)) == (1, 1)
    assert one[0].startswith("one")
    assert two[0].startswith("two")
    assert "\x1b" not in one[0] + two[0]
    note_audit_id({"audit-id": "outside a trail"})
    assert len(one) == len(two) == 1
