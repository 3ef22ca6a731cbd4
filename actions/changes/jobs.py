"""Delete Jobs of a namespace by selector or by their CronJob: finished ones, or surplus ones that
still run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from shlex import quote
from typing import Any

import msgspec

from actions.checks import counted
from actions.context import ActionContext
from actions.definition import Action, CannotPlan, Proposal, by_name, offered
from actions.parameters import Parameter, name, one_of, selector, whole
from actions.targets import deleted
from cluster.kube.objects import Job, Ref
from cluster.kube.selectors import text_matches

MOST_JOBS = 200
"""Most Jobs deleted at once."""


async def _build(context: ActionContext, values: Mapping[str, Any]) -> Proposal:
    if reason := context.unavailable.get("Job"):
        raise CannotPlan(f"The Jobs cannot be read ({reason}), so what would go is not known.")
    namespace, which, keep = values["namespace"], values["which"], values.get("keep", 0)
    most, labels, cronjob = (
        values.get("most", MOST_JOBS),
        values.get("selector", ""),
        values.get("cronjob", ""),
    )
    if not labels and not cronjob:
        raise CannotPlan("Name the CronJob that made the Jobs, or their labels.")
    chosen = [
        job
        for job in context.store.in_namespace("Job", namespace).values()
        if (not labels or text_matches(labels, job.metadata.labels))
        and (not cronjob or _made_by(job, cronjob))
        and is_finished(job) is (which == "finished")
    ]
    chosen.sort(key=_age, reverse=True)
    doomed = chosen[keep:][-most:]
    if not doomed:
        meant = " and ".join(
            filter(None, (cronjob and f"is of {cronjob}", labels and f"matches {labels!r}"))
        )
        raise CannotPlan(
            f"No {which} Job in {namespace} {meant}"
            + (f" beyond the {keep} newest." if keep else ".")
        )
    targets = tuple(
        deleted(
            Ref("Job", namespace, job.metadata.name),
            msgspec.to_builtins(job),
            f"kubectl delete job -n {namespace} {quote(job.metadata.name)}",
        )
        for job in doomed
    )
    active = sum(job.status.active for job in doomed)
    left = len(chosen) - len(doomed)
    kept = f"; the {left} newest stay" if left else ""
    return Proposal(
        Ref("Namespace", "", namespace),
        targets,
        f"{len(doomed)} {which} Jobs of {namespace} are deleted with their pods{kept}",
        touches=(
            f"{counted(active, 'running pod ends', 'running pods end')}; the logs of all their "
            "pods are gone.",
        ),
        kubectl=_command(namespace, which, labels, cronjob, len(doomed)),
    )


def _command(namespace: str, which: str, labels: str, cronjob: str, count: int) -> str:
    """The same Jobs by hand: the oldest `count` of those that are meant."""
    chosen = f" -l {quote(labels)}" if labels else ""
    columns = "name:.metadata.name,active:.status.active,of:.metadata.ownerReferences[0].name"
    test = f"$2+0{'>' if which == 'running' else '=='}0"
    test += f' && $3=="{cronjob}"' if cronjob else ""
    return (
        f"kubectl get jobs -n {namespace}{chosen} --no-headers "
        f"--sort-by=.metadata.creationTimestamp -o custom-columns={columns} | "
        f"awk '{test} {{print $1}}' | head -n {count} | xargs kubectl delete job -n {namespace}"
    )


def _made_by(job: Job, cronjob: str) -> bool:
    owners = job.metadata.owner_references
    return any(each.kind == "CronJob" and each.name == cronjob for each in owners)


def is_finished(job: Job) -> bool:
    return any(
        condition.type in ("Complete", "Failed") and condition.status == "True"
        for condition in job.status.conditions
    )


def _age(job: Job) -> tuple[datetime, str]:
    return job.metadata.creation_timestamp or datetime.min.replace(tzinfo=UTC), job.metadata.name


ACTIONS = (
    Action(
        "delete-jobs",
        "Delete finished or running Jobs of a CronJob or a selector, with their pods.",
        (
            Parameter("namespace", "where the Jobs are", name),
            Parameter("selector", "label selector, such as app=report", selector, False),
            Parameter("cronjob", "the CronJob that made them", name, False),
            Parameter("which", "finished or running", one_of("finished", "running")),
            Parameter("keep", "how many of the newest stay (0)", whole(0, 10_000), False),
            Parameter("most", "how many go at once (200)", whole(1, MOST_JOBS), False),
        ),
        "The Jobs and their pods are gone; work that runs is lost.",
        "none",
        _build,
        deadline_s=60.0,
        fits=offered("Namespace", by_name("namespace")),
    ),
)
