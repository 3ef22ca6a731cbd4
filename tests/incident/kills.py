"""`python -m tests.incident.kills N [FOLDER]`: a session with --write cordons and uncordons a node of
a drill again and again, and is killed while the server holds one of its changes, N times.

Afterwards every change that reached the server is held against the record: each has an intent that
was on disk before, each intent has a result or is listed as unknown, and no result claims what did
not happen. Prints one line of JSON. `python -m tests.incident.kills act KUBECONFIG FOLDER` is the
session that is killed.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from aiohttp import web

from cluster.kube.text import clean_uncut
from drills.server.run import serve_in_thread
from incident.options import Options
from incident.session import LiveInvestigation
from tests.drills.gate import Gate, Moment
from tests.incident.drill import until
from timeline.entry import Entry
from timeline.intents import pair, unknown_changes
from timeline.journal.journal import Journal

DRILL, NODE = "network-policy-cni-version-skew", "node-b2"
PATH = f"/api/v1/nodes/{NODE}"
MOMENTS: tuple[Moment, ...] = ("before", "after", "answered")


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


# ---- the kills


def _is_change(request: web.Request, path: str) -> bool:
    return request.method == "PATCH" and path == PATH and "dryRun" not in request.query


def _wanted(body: bytes) -> bool:
    """Whether a patch cordons the node."""
    patch: list[dict[str, Any]] = json.loads(body)
    return next(bool(each.get("value")) for each in patch if each["op"] != "test")


def kill_sessions(times: int, folder: Path) -> dict[str, Any]:
    """The figures: kills, those inside an action, and what did not add up. Sessions are killed at
    their first change, later ones at their second, third and fourth."""
    inside = 0
    with serve_in_thread(DRILL) as server:
        gate = Gate(server, _is_change)
        kubeconfig = folder / "kubeconfig"
        server.write_kubeconfig(kubeconfig)
        for number in range(times):
            before = _open_intents(folder)
            gate.close(1 + number // len(MOMENTS) % 4, MOMENTS[number % len(MOMENTS)])
            _kill_one(kubeconfig, folder, gate)
            assert gate.open(), "the server did not end a change"
            inside += _open_intents(folder) > before
    return {"kills": times, "inside": inside, **accounts(folder, gate)}


def _kill_one(kubeconfig: Path, folder: Path, gate: Gate) -> None:
    command = [sys.executable, "-m", "tests.incident.kills", "act", str(kubeconfig), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", "the session did not begin"
        assert gate.reached(), "the session changed nothing"
        process.send_signal(signal.SIGKILL)


def _entries(folder: Path) -> list[Entry]:
    found: list[Entry] = []
    for path in sorted((folder / "state" / "incidents").glob("*.db")):
        with Journal.open_read_only(path, clean=clean_uncut) as journal:
            assert journal.verify().ok, "the chain is whole"
            found += sorted(journal.entries(), key=lambda entry: (entry.pending, entry.seq))
    return found


def _open_intents(folder: Path) -> int:
    return sum(
        1
        for intent, result in pair(_entries(folder))
        if intent.kind == "action-intent" and result is None
    )


def accounts(folder: Path, gate: Gate) -> dict[str, Any]:
    """Holds the record against the changes at the server."""
    entries = _entries(folder)
    actions = [(i, r) for i, r in pair(entries) if i.kind == "action-intent"]
    by_name = {"cordon": True, "uncordon": False}
    intended = Counter(by_name[str(i.data["action"])] for i, _ in actions)
    done = Counter(
        by_name[str(i.data["action"])]
        for i, r in actions
        if r is not None and r.data.get("outcome") == "done"
    )
    received = Counter(map(_wanted, gate.received))
    made = Counter(map(_wanted, gate.done))
    without = [intent for intent, result in actions if result is None]
    told = unknown_changes(entries, frozenset())
    last = {(i.data["action"], str(i.object)): i.id for i, _ in actions}
    return {
        "intents": len(actions),
        "results": len(actions) - len(without),
        "unknown": len(without),
        "changes at the server": len(gate.done),
        "changes without an intent": sum((received - intended).values()),
        "done in the record, not at the server": sum((done - made).values()),
        "last unknown change not told": sum(
            intent.id == last[intent.data["action"], str(intent.object)] and intent not in told
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
