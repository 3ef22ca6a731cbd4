"""One small incident, as the product would record it."""

from __future__ import annotations

from datetime import timedelta

from tests.timeline.conftest import START
from timeline.entry import Capture, NewEntry, ObjectRef
from timeline.journal.journal import Journal


def tell(journal: Journal) -> None:
    """Seen, noticed, probed, an action without a result, one ruled out, one declined; never
    resolved."""
    pod = ObjectRef(kind="Pod", namespace="shop", name="market-7d9f")
    seen = Capture(
        content=b"DB_PASSWORD: marmalade\nno memory limit\n",
        source="GET /api/v1/namespaces/shop/pods/market-7d9f",
        duration=0.02,
    )
    drafts = [
        NewEntry(
            kind="observation",
            text="connections refused, 7 of 7 on node-2",
            object=pod,
            captures=(seen,),
            phase="detect",
            occurred_at=START - timedelta(minutes=20),
            time_source="cluster",
            data={"severity": "critical"},
        ),
        NewEntry(kind="observation", text="container market has no memory limit", object=pod),
        NewEntry(
            kind="milestone",
            text="alert fired",
            occurred_at=START - timedelta(minutes=10),
            data={"name": "detected"},
        ),
        NewEntry(
            kind="note",
            text="users report errors",
            occurred_at=START - timedelta(minutes=12, seconds=11),
            occurred_precision="minute",
            time_source="human",
            confidence="reported",
        ),
        NewEntry(
            kind="match",
            text="network-policy-cni-version-skew",
            data={"runbook": "network-policy-cni-version-skew"},
        ),
        NewEntry(
            kind="probe-intent", text="connectivity from gateway to shop", data={"intent_id": "p1"}
        ),
        NewEntry(
            kind="object-intent", text="Pod stanch-probe-1 in gateway", data={"intent_id": "o1"}
        ),
        NewEntry(
            kind="probe-result",
            text="rejected on the way by node-2",
            data={"intent_id": "p1", "state": "done"},
        ),
        NewEntry(
            kind="action-intent", text="cordon node-2", data={"intent_id": "a1"}, phase="mitigate"
        ),
        NewEntry(kind="action-declined", text="drain node-2", reason="too risky"),
        NewEntry(
            kind="hypothesis",
            text="DNS is broken",
            reason="all names resolve",
            data={"status": "ruled-out"},
        ),
        NewEntry(
            kind="contributing-factor",
            text="kube-router runs a mutable tag",
            data={
                "factor_kind": "latent",
                "resolution": "pin digests",
                "status": "already-planned",
            },
        ),
        NewEntry(kind="question", text="who pushed the image?", data={"owner": "platform"}),
    ]
    for draft in drafts:
        journal.append(draft)
