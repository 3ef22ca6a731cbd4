"""Image drift of DaemonSets, from the live state: an agent should run the same image content on
every node.

A floating tag that is pulled at different times gives different agents, which the specification
does not show (runbook `network-policy-cni-version-skew`). See `probes.select.drift` for the
comparison.
"""

from __future__ import annotations

from collections.abc import Mapping

from cluster.kube.objects import Ref
from probes.context import ProbeContext, Progress
from probes.read_only import Findings, read_only_probe
from probes.result import Component, Conclusion, Row
from probes.select.drift import Drift, drifts


async def look(context: ProbeContext, arguments: Mapping[str, str], progress: Progress) -> Findings:
    wanted = arguments.get("namespace", "")
    found = drifts(context.store, frozenset({wanted}) if wanted else frozenset())
    by_ref: dict[Ref, list[Drift]] = {}
    for drift in found:
        by_ref.setdefault(drift.daemonset, []).append(drift)
    rows = []
    for (namespace, name), _ in sorted(context.store.rows("DaemonSet").items()):
        if wanted and namespace != wanted:
            continue
        ref = Ref("DaemonSet", namespace, name)
        drifted = by_ref.get(ref, [])
        rows.append(
            Row(
                ref,
                "; ".join(d.sentence for d in drifted) or "one content on all nodes",
                not drifted,
                "one content on all nodes",
            )
        )
    conclusions = tuple(
        Conclusion(
            drift.sentence,
            Component("agent", f"{drift.daemonset.name} on {', '.join(sorted(drift.odd))}"),
            0.9
            if ":" not in drift.image.rpartition("/")[2] or drift.image.endswith(":latest")
            else 0.8,
            "probe connectivity to pods on that node, and compare with another node",
            (f"image {drift.image}",),
        )
        for drift in found
    )
    return Findings(rows, conclusions)


PROBE = read_only_probe(
    "image-drift",
    "Does every DaemonSet run the same image content on all nodes?",
    {"namespace": "only DaemonSets there"},
    look,
    kinds=("DaemonSet", "Pod"),
)
