"""What is open to the world and has power over its node (story 002 JW Player)."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.kube import durations, images
from cluster.kube.managed_fields import last_write
from cluster.kube.objects import Pod, PodSpec, Service
from triage.detectors.network.intruder import first_stranger
from triage.detectors.network.services import internal
from triage.detectors.registry import object_detector
from triage.facts import blast_radius as blast
from triage.facts import roles
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import field_evidence, make

_DANGEROUS = (
    "/",
    "/etc",
    "/root",
    "/home",
    "/proc",
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/containerd",
    "/run/containerd/containerd.sock",
    "/var/run/crio/crio.sock",
    "/var/lib/kubelet",
    "/var/lib/docker",
    "/var/run",
    "/run",
    "/boot",
    "/etc/kubernetes",
)


def power(spec: PodSpec) -> tuple[bool, bool, tuple[str, ...]]:
    """(privileged, host PID, dangerous host paths) of a pod."""
    privileged = any(
        c.security_context is not None and c.security_context.privileged for c in spec.containers
    )
    return (
        privileged,
        spec.host_pid,
        tuple(sorted(p for p in roles.host_paths(spec) if p in _DANGEROUS)),
    )


@object_detector("Service")
def exposed(row: Service, view: ClusterView) -> Iterator[Finding]:
    """A Service that can be reached from outside, in front of pods that are privileged, share the
    host's processes or mount its sockets.

    Also in front of a dashboard whose agents (pods of the same application in the same
    namespace) have that power: the dashboard commands them. Balancers marked internal, and
    those with source ranges, are left to notes. It began with the first stranger who came in, as
    far as one is seen; until then with the opening of the door, which stays in the evidence.
    """
    hosts = blast.hosts_of(row.metadata.namespace, row.metadata.name, view)
    if row.spec.type == "LoadBalancer" and row.status.load_balancer.ingress:
        how, address = (
            "LoadBalancer",
            row.status.load_balancer.ingress[0].ip or row.status.load_balancer.ingress[0].hostname,
        )
    elif row.spec.type == "NodePort":
        how, address = (
            "NodePort",
            f"port {next((p.node_port for p in row.spec.ports if p.node_port), 0)} of every node",
        )
    elif hosts and row.spec.selector:
        how, address = "Ingress", hosts[0]
    else:
        return
    pods = view.selected(row)
    if not pods or all(view.role(p) == "ingress" for p in pods):
        return
    own = power(pods[0].spec)
    agents = _agents(row, pods, view)
    if not (own[0] or own[1] or own[2]) and not agents:
        return
    shown = own if any(own) else power(agents[0].spec)
    ranged = bool(row.spec.load_balancer_source_ranges)
    quiet = ranged or internal(row) or how != "LoadBalancer"
    what = [t for t, yes in (("privileged", shown[0]), ("hostPID", shown[1])) if yes] + [
        f"hostPath {p}" for p in shown[2]
    ]
    who = "pods that" if any(own) else f"an application whose {len(agents)} agents"
    ref = ref_of(row)
    write = last_write(row.metadata)
    opened = write.time if write is not None else row.metadata.creation_timestamp
    stranger = first_stranger(opened, view) if opened is not None and not quiet else None
    later = (
        f"; {stranger.ref} came later, by {stranger.manager}, who had written nothing before"
        if stranger
        else ""
    )
    evidence = (
        [field_evidence(ref, "open since", durations.utc_clock(opened, view.now), opened)]
        if opened is not None
        else []
    )
    if stranger is not None:
        text = f"created by {stranger.manager} at {durations.utc_clock(stranger.at, view.now)}"
        evidence.append(field_evidence(stranger.ref, "metadata.managedFields", text, stranger.at))
    source = SinceSource.MANAGED_FIELDS if write else SinceSource.CREATION
    yield make(
        "exposed-privileged-workload",
        ref,
        f"open to the world at {address}, in front of {who} are {', '.join(what)}{later}",
        Severity.INFO if quiet else Severity.WARNING,
        "a public balancer in front of power over nodes (a note where ranges or an Ingress stand "
        "between)",
        since=stranger.at if stranger else opened,
        source=SinceSource.CREATION if stranger else source,
        evidence=[
            *evidence,
            field_evidence(ref, "status.loadBalancer", address),
            field_evidence(ref, "spec.loadBalancerSourceRanges", "set" if ranged else "not set"),
            field_evidence(ref_of(pods[0]), "spec", ", ".join(what)),
        ],
        related=[*([stranger.ref] if stranger else []), *(ref_of(p) for p in pods[:10])],
        facts={
            "privileged": shown[0],
            "host_pid": shown[1],
            "host_network": pods[0].spec.host_network,
            "host_paths": shown[2],
            "type": how,
            "address": address,
            "source_ranges": ranged,
            "public": not quiet,
            "agents": len(agents),
            "stranger": str(stranger.ref) if stranger else "",
            "stranger_by": stranger.manager if stranger else "",
        },
    )


_APP = (
    "app.kubernetes.io/part-of",
    "app.kubernetes.io/instance",
    "app",
    "app.kubernetes.io/name",
    "k8s-app",
    "name",
)


def _agents(row: Service, pods: list[Pod], view: ClusterView) -> list[Pod]:
    """Pods beside these that belong to the same application and have power over their nodes.

    The same application: an application label, the image's repository or a ServiceAccount of its
    own in common.
    """
    first = pods[0]
    mine = first.metadata.labels
    own = {
        (images.parse(c.image).registry, images.parse(c.image).repository)
        for c in first.spec.containers
    }
    account = first.spec.service_account_name
    if roles.system_namespace(row.metadata.namespace):
        return []
    found: list[Pod] = []
    for pod in view.store.in_namespace("Pod", row.metadata.namespace).values():
        if not any(power(pod.spec)):
            continue
        labelled = any(mine.get(k) and pod.metadata.labels.get(k) == mine[k] for k in _APP)
        image = any(
            (images.parse(c.image).registry, images.parse(c.image).repository) in own
            for c in pod.spec.containers
        )
        if (
            labelled
            or image
            or (account not in ("", "default") and pod.spec.service_account_name == account)
        ):
            found.append(pod)
    return sorted(found, key=lambda p: p.metadata.name)
