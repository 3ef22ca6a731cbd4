"""pods/eviction: a delete that asks the disruption budgets first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drills.api.objects import Obj, condition, dig
from drills.api.problems import server_error, too_many_requests
from drills.api.requests import Query, Target
from drills.api.selectors import matches_selector

if TYPE_CHECKING:
    from drills.server.drill_server import DrillServer


def evict(server: DrillServer, target: Target, body: Obj, query: Query) -> Obj:
    """A success Status. Raises ApiProblem: 404; 429 when a budget has no disruption left; 500 when
    two budgets match."""
    pod = server.store.get(target.kind, target.namespace, target.name).obj
    options = body.get("deleteOptions") or {}
    if dig(pod, "status", "phase") not in {"Succeeded", "Failed"} and not pod["metadata"].get(
        "deletionTimestamp"
    ):
        _ask_budgets(server, target, pod, options, query)
    plain = Target(target.kind, target.namespace, target.name, "", "")
    if "dryRun" in body:
        options = {**options, "dryRun": body["dryRun"]}
    server.writes.delete(plain, options, query)
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def _ask_budgets(server: DrillServer, target: Target, pod: Obj, options: Obj, query: Query) -> None:
    kind = server.kinds.by_object("policy/v1", "PodDisruptionBudget")
    assert kind is not None
    labels = pod["metadata"].get("labels", {})
    found = [
        e
        for e in server.store.entries(kind, target.namespace)
        if matches_selector(e.obj["spec"].get("selector"), labels)
    ]
    if len(found) > 1:
        raise server_error(
            500,
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does "
            "not support.",
        )
    if not found:
        return
    pdb = found[0].obj
    allowed = int(dig(pdb, "status", "disruptionsAllowed", default=0))
    ready = condition(pod, "Ready")
    healthy = ready is not None and ready["status"] == "True"
    status = pdb["status"]
    if (
        not healthy
        and int(status.get("currentHealthy", 0)) >= int(status.get("desiredHealthy", 0)) > 0
    ):
        return  # an unhealthy pod of a healthy enough workload may go: IfHealthyBudget
    if allowed < 1:
        message = (
            f"The disruption budget {pdb['metadata']['name']} needs "
            f"{status.get('desiredHealthy', 0)} healthy pods "
            f"and has {status.get('currentHealthy', 0)} currently"
        )
        raise too_many_requests(
            10,
            "Cannot evict pod as it would violate the pod's disruption budget.",
            [{"reason": "DisruptionBudget", "message": message}],
        )
    if query.dry_run or "All" in (options.get("dryRun") or []):
        return
    if healthy:
        server.store.put(
            kind,
            {
                **pdb,
                "metadata": dict(pdb["metadata"]),
                "status": {
                    **status,
                    "disruptionsAllowed": allowed - 1,
                    "currentHealthy": int(status.get("currentHealthy", 1)) - 1,
                },
            },
        )
