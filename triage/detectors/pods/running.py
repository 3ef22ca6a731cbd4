"""Running pods with a fault: containers that ended for good, resizes that cannot be done."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.kube.conditions import condition_of
from cluster.kube.durations import words
from cluster.kube.objects import Pod
from triage.detectors.registry import object_detector
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import condition_evidence, field_evidence, make
from triage.facts.messages.wording import quoted
from triage.facts.windows import READY_GRACE


@object_detector("Pod")
def half_ended(pod: Pod, view: ClusterView) -> Iterator[Finding]:
    """A container ended for good (restartPolicy Never, or OnFailure with exit 0) while others run:
    the pod is neither finished nor whole.

    With an error it is half dead. With exit 0 the work is done, and what still runs (a sidecar
    that is an ordinary container) keeps the pod from finishing.
    """
    policy = pod.spec.restart_policy
    if (
        pod.status.phase != "Running"
        or pod.metadata.deletion_timestamp is not None
        or policy not in ("Never", "OnFailure")
    ):
        return
    running = [s.name for s in pod.status.container_statuses if s.state.running is not None]
    ended = [
        (s.name, s.state.terminated)
        for s in pod.status.container_statuses
        if s.state.terminated is not None
        and (policy == "Never" or s.state.terminated.exit_code == 0)
    ]
    if not running or not ended:
        return
    name, end = max(ended, key=lambda one: (one[1].exit_code != 0, one[0]))
    if not view.older(end.finished_at, READY_GRACE):
        return
    ref = ref_of(pod)
    rest = ", ".join(running)
    if end.exit_code:
        text = f"half dead: container {name} ended with exit {end.exit_code} and is not restarted"
        text += f" (restartPolicy {policy}), {rest} still runs"
    else:
        text = f"its work is done, but it does not finish: {name} completed, {rest} still runs"
    yield make(
        "pod-half-ended",
        ref,
        text,
        Severity.WARNING,
        "one container ended for good over 5 min ago, another runs",
        since=end.finished_at,
        source=SinceSource.STATUS,
        detail=name,
        evidence=[
            field_evidence(
                ref,
                f"status.containerStatuses[{name}].state.terminated",
                f"{end.reason} exit {end.exit_code}",
                end.finished_at,
            )
        ],
        facts={
            **view.pod_facts(pod),
            "container": name,
            "exit_code": end.exit_code,
            "policy": policy,
            "running": tuple(running),
        },
    )


@object_detector("Pod")
def resize(pod: Pod, view: ClusterView) -> Iterator[Finding]:
    """An in-place resize (1.33 and later) that is infeasible, deferred for long, or failed."""
    for type_, reasons in (
        ("PodResizePending", ("Infeasible", "Deferred")),
        ("PodResizeInProgress", ("Error",)),
    ):
        found = condition_of(pod.status.conditions, type_)
        if found is None or found.status != "True" or found.reason not in reasons:
            continue
        since = found.last_transition_time
        deferred = found.reason == "Deferred"
        if deferred and not view.older(since, READY_GRACE):
            continue
        what = {
            "Infeasible": "its resize cannot be done on this node",
            "Deferred": "its resize waits for room on the node",
            "Error": "its resize fails",
        }[found.reason]
        ref = ref_of(pod)
        age = f" (for {words(view.now - since)})" if since is not None else ""
        yield make(
            "pod-resize-failed",
            ref,
            f"{what}{age}: {quoted(found.message or found.reason)}",
            Severity.INFO if deferred else Severity.WARNING,
            "a resize that the kubelet refuses; one that is deferred is a note",
            since=since,
            source=SinceSource.CONDITION,
            detail=type_,
            evidence=[condition_evidence(ref, found)],
            facts={**view.pod_facts(pod), "reason": found.reason},
        )
