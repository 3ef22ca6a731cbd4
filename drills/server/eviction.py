"""pods/eviction: a delete that asks the disruption budgets first."""

from __future__ import annotations

from drills.api.objects import Obj, dig, holds, is_active
from drills.api.problems import server_error, success, too_many_requests
from drills.api.requests import QueryParameters, RequestInfo
from drills.api.selectors import matches_selector
from drills.server.state import ServerState


def evict(state: ServerState, target: RequestInfo, body: Obj, query: QueryParameters) -> Obj:
    """A success Status. Raises ApiProblem: 404; 429 when a budget has no disruption left; 500 when
    two budgets match."""
    pod = state.store.get(target.kind, target.namespace, target.name).obj
    options = body.get("deleteOptions") or {}
    if "dryRun" in body:
        options = {**options, "dryRun": body["dryRun"]}
    dry = query.dry_run or "All" in (options.get("dryRun") or [])
    if (
        dry
    ):  # the query counts here, unlike for a deletion (kubernetes eviction.go, propagateDryRun)
        options = {**options, "dryRun": ["All"]}
    if is_active(pod):
        _take_disruption(state, pod, dry=dry)
    state.writes.delete(target.whole, options, query)
    return success(code=201)


def _take_disruption(state: ServerState, pod: Obj, *, dry: bool) -> None:
    """Count an eviction against the budget of the pod."""
    labels, namespace = pod["metadata"].get("labels", {}), pod["metadata"]["namespace"]
    budgets = [
        budget
        for budget in state.store.of("PodDisruptionBudget", namespace)
        if matches_selector(budget["spec"].get("selector"), labels)
    ]
    if len(budgets) > 1:
        raise server_error(
            500,
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does "
            "not support.",
        )
    for budget in budgets:
        status, healthy = budget["status"], holds(pod, "Ready")
        have, need = int(status.get("currentHealthy", 0)), int(status.get("desiredHealthy", 0))
        if not healthy and have >= need > 0:
            return  # an unhealthy pod of a healthy enough workload may go: IfHealthyBudget
        allowed = int(dig(status, "disruptionsAllowed", default=0))
        if allowed < 1:
            name = budget["metadata"]["name"]
            text = (
                f"The disruption budget {name} needs {need} healthy pods and has {have} currently"
            )
            raise too_many_requests(
                10,
                "Cannot evict pod as it would violate the pod's disruption budget.",
                [{"reason": "DisruptionBudget", "message": text}],
            )
        if healthy and not dry:
            left = {**status, "disruptionsAllowed": allowed - 1, "currentHealthy": have - 1}
            meta = dict(budget["metadata"])
            state.store.save({**budget, "metadata": meta, "status": left})
