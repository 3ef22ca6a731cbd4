"""`python -m tests.incident.kills N [FOLDER]`: a session with --write cordons and uncordons a node of
a drill again and again, and is killed at a random moment, N times.

Afterwards every change that reached the server is held against the record: each has an intent that
was on disk before, each intent has a result or is listed as unknown, and no result claims what did
not happen. Prints one line of JSON. `python -m tests.incident.kills act KUBECONFIG FOLDER` is the
session that is killed.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from cluster.kube.text import clean_uncut
from drills.server.http import DrillServer
from drills.server.run import serve_in_thread
from incident.options import Options
from incident.session import LiveInvestigation
from tests.incident.drill import until
from timeline.entry import Entry
from timeline.intents import pair, unknown_changes
from timeline.journal.journal import Journal

DRILL, NODE = "network-policy-cni-version-skew", "node-b2"
PATH = f"/api/v1/nodes/{NODE}"
SLOW_S = 0.15
"""Delay of each change at the server, so that kills hit changes that are in flight."""


# ---- the session that is killed


async def act(kubeconfig: str, folder: Path) -> None:
    """Prints "ready", then cordons and uncordons until it is killed."""
    options = Options(
        kubeconfig=kubeconfig, state=folder / "state", config=folder / "config", write=True
    )
    investigation = LiveInvestigation(options)
    await investigation.start()
    await until(
        investigation,
        lambda view: view.record.state == "ok" and investigation.store.count("Node") > 0,
    )
    print("ready", flush=True)
    while True:
        for name in ("cordon", "uncordon"):
            plan = await investigation.plan_action(name, {"node": NODE})
            if not plan.refused:
                await investigation.run_action(plan, plan.confirmation)


# ---- who kills it


@dataclass
class Wire:
    """Changes of the node that the server received and made, each with the wanted value."""

    received: list[bool] = field(default_factory=list)
    made: list[bool] = field(default_factory=list)

    def watch(self, server: DrillServer) -> None:
        dispatch = server._dispatch

        async def watched(request: web.Request, path: str) -> web.StreamResponse:
            if request.method != "PATCH" or path != PATH or "dryRun" in request.query:
                return await dispatch(request, path)
            wanted = _wanted(json.loads(await request.read()))
            self.received.append(wanted)
            answer = await dispatch(request, path)
            self.made.append(wanted)
            return answer

        server._dispatch = watched  # type: ignore[method-assign]  # the wire is watched there


def _wanted(patch: list[dict[str, Any]]) -> bool:
    return next(bool(each.get("value")) for each in patch if each["op"] != "test")


def kill_sessions(times: int, folder: Path, *, intents: int = 0, seed: int = 1) -> dict[str, Any]:
    """The figures: kills, those inside an action, and what did not add up. Where a busy machine
    kills sessions before they act, up to ten times as many are killed until there are `intents`."""
    dice, wire = random.Random(seed), Wire()  # moments, no secrets
    kills = inside = 0
    with serve_in_thread(DRILL) as server:
        wire.watch(server)
        server.faults.add_mapping(
            {"action": "slow", "resource": "nodes", "verbs": ["patch"], "seconds": SLOW_S}
        )
        kubeconfig = folder / "kubeconfig"
        server.write_kubeconfig(kubeconfig)
        while kills < times or (kills < times * 10 and _intents(folder) < intents):
            before = _open_intents(folder)
            _kill_one(kubeconfig, folder, dice)
            inside += _open_intents(folder) > before
            kills += 1
        time.sleep(SLOW_S * 4)  # what was sent reaches the server, whoever sent it
    return {"kills": kills, "inside": inside, **accounts(folder, wire)}


def _kill_one(kubeconfig: Path, folder: Path, dice: random.Random) -> None:
    command = [sys.executable, "-m", "tests.incident.kills", "act", str(kubeconfig), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", "the session did not begin"
        time.sleep(dice.uniform(0.2, 2.5))
        process.send_signal(signal.SIGKILL)


def _entries(folder: Path) -> list[Entry]:
    found: list[Entry] = []
    for path in sorted((folder / "state" / "incidents").glob("*.db")):
        with Journal.open_read_only(path, clean=clean_uncut) as journal:
            assert journal.verify().ok, "the chain is whole"
            found += sorted(journal.entries(), key=lambda entry: (entry.pending, entry.seq))
    return found


def _intents(folder: Path) -> int:
    return sum(entry.kind == "action-intent" for entry in _entries(folder))


def _open_intents(folder: Path) -> int:
    return sum(
        1
        for intent, result in pair(_entries(folder))
        if intent.kind == "action-intent" and result is None
    )


def accounts(folder: Path, wire: Wire) -> dict[str, Any]:
    """Holds the record against the wire."""
    entries = _entries(folder)
    actions = [(i, r) for i, r in pair(entries) if i.kind == "action-intent"]
    by_name = {"cordon": True, "uncordon": False}
    intended = Counter(by_name[str(i.data["action"])] for i, _ in actions)
    done = Counter(
        by_name[str(i.data["action"])]
        for i, r in actions
        if r is not None and r.data.get("outcome") == "done"
    )
    received, made = Counter(wire.received), Counter(wire.made)
    without = [intent for intent, result in actions if result is None]
    told = unknown_changes(entries, frozenset())
    last = {(i.data["action"], i.object): i.id for i, _ in actions}
    return {
        "intents": len(actions),
        "results": len(actions) - len(without),
        "unknown": len(without),
        "changes at the server": len(wire.made),
        "changes without an intent": sum((received - intended).values()),
        "done in the record, not at the server": sum((done - made).values()),
        "last unknown change not told": sum(
            intent.id == last[intent.data["action"], intent.object] and intent not in told
            for intent in without
        ),
    }


def faultless(figures: dict[str, Any]) -> bool:
    wrong = (
        "changes without an intent",
        "done in the record, not at the server",
        "last unknown change not told",
    )
    return not any(figures[each] for each in wrong)


if __name__ == "__main__":
    if sys.argv[1] == "act":
        asyncio.run(act(sys.argv[2], Path(sys.argv[3])))
    else:
        with tempfile.TemporaryDirectory() as made_here:
            where = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(made_here)
            outcome = kill_sessions(int(sys.argv[1]), where)
            print(json.dumps(outcome))
            sys.exit(not faultless(outcome))
