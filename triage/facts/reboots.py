"""When nodes came up again, by the kubelet's Rebooted events."""

from __future__ import annotations

from datetime import datetime, timedelta

from cluster.kube.objects import Ref
from triage.facts.cluster_view import ClusterView
from triage.facts.events import EventFact

_AROUND = timedelta(minutes=10)
"""The end of a container is written when its node is back, or when it went down."""
_POWER_ON = timedelta(minutes=15)
"""Machines of one cluster that are switched on come up within this time."""


def reboots_around(node: str, at: datetime, view: ClusterView) -> list[EventFact]:
    """Reboots of a node around a time: they ended what ran there."""
    return [
        event
        for event in view.events.about(Ref("Node", "", node))
        if event.reason == "Rebooted" and abs(event.last - at) <= _AROUND
    ]


def powered_on(at: datetime, view: ClusterView) -> bool:
    """Whether three of four nodes came up around a time: the cluster was switched on, and no node
    failed. A cluster of one node is switched on whenever that node is."""
    up = {
        e.about.name
        for e in view.events.reasons("Rebooted")
        if any(abs(moment - at) <= _POWER_ON for moment in e.times)
    }
    return bool(up) and len(up) * 4 >= view.store.count("Node") * 3
