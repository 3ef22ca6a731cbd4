"""Environment variables of workloads that name a Service or a port which does not exist.

Only the parts of a value that look like an address are known (`cluster.kube.env_addresses`). Values
of ConfigMaps and Secrets are never read: what they name shows in the last words of a container.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec

from cluster.kube.managed_fields import last_write
from cluster.kube.objects import (
    ControllerRevision,
    CronJob,
    DaemonSet,
    Deployment,
    Ref,
    ReplicaSet,
    StatefulSet,
    TemplatePodSpec,
)
from cluster.kube.pods import statuses
from triage.detectors.registry import object_detector
from triage.detectors.workloads.quotas import may_refuse
from triage.facts.addresses import Resolved, Standing, resolve
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import field_evidence, make
from triage.facts.windows import NOTE_AFTER, READY_GRACE
from triage.logs.address import Address

_Workload = Deployment | StatefulSet | DaemonSet | CronJob
_SERVED = ("Deployment", "StatefulSet")
"""Kinds of workloads that usually have a Service of their name."""
_MOST = 4
"""Findings of one workload: more of them say nothing new."""


class _Named(msgspec.Struct, frozen=True):
    """An address that a variable names; `alone` where it is a bare name without a port."""

    container: str
    variable: str
    address: Address
    alone: bool


@object_detector("Deployment", "StatefulSet", "DaemonSet", "CronJob")
def references(row: _Workload, view: ClusterView) -> Iterator[Finding]:
    """A name or port of a Service that is not there. A warning where the name is certainly meant
    for this cluster: it has the form of cluster DNS, or a Service has nearly that name, or that
    name elsewhere, or the port is wrong. A note otherwise: it may be a default that is not used."""
    template = (
        row.spec.job_template.spec.template if isinstance(row, CronJob) else row.spec.template
    )
    ref, created = ref_of(row), row.metadata.creation_timestamp
    if not view.readable("Service") or not view.older(created, NOTE_AFTER):
        return
    if isinstance(row, (Deployment, StatefulSet)) and row.spec.replicas == 0:
        return
    found: dict[tuple[Ref, Standing, int], tuple[_Named, Resolved]] = {}
    for named in _named(template.spec):
        meant = resolve(named.address, ref.namespace, view)
        if meant.service is None or meant.standing not in (Standing.NO_SERVICE, Standing.NO_PORT):
            continue
        port = named.address.port if meant.standing is Standing.NO_PORT else 0
        found.setdefault((meant.service, meant.standing, port), (named, meant))
    since, source = _written(row, view)
    for (service, standing, port), (named, meant) in list(found.items())[:_MOST]:
        name = f"{service.namespace}/{service.name}"
        sure = standing is Standing.NO_PORT or meant.near or "." in named.address.host
        certain = sure and not (named.alone and not meant.near)
        gone = standing is Standing.NO_SERVICE
        meant_here = gone and any(
            view.store.get(kind, service.namespace, service.name) for kind in _SERVED
        )
        certain = certain or meant_here
        quota = may_refuse("Service", service.namespace, view) if gone and certain else ""
        yield make(
            "service-reference-wrong",
            ref,
            f"its variable {named.variable} names {named.address}: {meant.says}"
            + (f", though {service.name} runs there" if meant_here else "")
            + (f", {quota}" if quota else ""),
            Severity.WARNING if certain else Severity.INFO,
            "a name of cluster DNS, of a workload, or nearly that of a Service (a note where it "
            "may be a default that is not used)",
            since=since,
            source=source,
            young=view.young(created, READY_GRACE) if certain else None,
            evidence=[
                field_evidence(
                    ref,
                    f"spec.template env {named.variable} of container {named.container}",
                    str(named.address),
                    since,
                )
            ],
            detail=f"{name}:{port}" if port else name,
            facts={
                "variable": named.variable,
                "container": named.container,
                "service": name,
                "port": port,
                "standing": str(standing),
                "certain": certain,
                "quota": quota,
            },
            related=[service],
        )


def _written(row: _Workload, view: ClusterView) -> tuple[datetime | None, SinceSource]:
    """Since when its template is as it is: the last write to it, else the beginning of its current
    revision, else the first end of a container, else its creation."""
    edit = last_write(row.metadata, "f:spec", "f:template")
    if edit is not None:
        return edit.time, SinceSource.MANAGED_FIELDS
    owned = [
        each
        for each in view.store.owned_by(row.metadata.uid).values()
        if isinstance(each, ControllerRevision)
        or (isinstance(each, ReplicaSet) and each.spec.replicas)
    ]
    revisions = [t for each in owned if (t := each.metadata.creation_timestamp)]
    if revisions:
        return max(revisions), SinceSource.CREATION
    ends = [
        end.finished_at
        for pod in view.pods_of(ref_of(row))
        for status in statuses(pod)
        if (end := status.state.terminated or status.last_state.terminated) is not None
        and end.exit_code
        and end.finished_at is not None
    ]
    if ends:
        return min(ends), SinceSource.STATUS
    return row.metadata.creation_timestamp, SinceSource.CREATION


def _named(spec: TemplatePodSpec) -> Iterator[_Named]:
    """The addresses in the variables of a template; a bare host has the port that a variable with
    the same beginning names (`DB_HOST`, `DB_PORT`)."""
    own = {container.name for container in (*spec.init_containers, *spec.containers)}
    for container in (*spec.init_containers, *spec.containers):
        values = {variable.name: variable.value for variable in container.env if variable.value}
        for variable, value in values.items():
            for text in value.split():
                host, _, port = text.partition(":")
                if host.isdecimal() or host in own:
                    continue
                beside = "" if port else _port_beside(variable, values)
                number = int(port or beside or 0)
                if number < 65536:
                    yield _Named(
                        container.name, variable, Address(host, number), not (port or beside)
                    )


def _port_beside(variable: str, values: dict[str, str]) -> str:
    for end in ("HOST", "HOSTNAME", "ADDR", "ADDRESS", "SERVER", "SERVICE"):
        if variable.upper().endswith(end):
            text = values.get(variable[: -len(end)] + "PORT", "")
            return text if text.isdecimal() else ""
    return ""
