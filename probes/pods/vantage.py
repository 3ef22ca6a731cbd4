"""Chooses how to measure from each source of a plan.

In this order: a probe pod with the client's labels from an image that the node has (or that was
asked for); exec in the client itself; nothing, with the reason. `how` asks for one method: exec, or
an ephemeral container in the client, which is never chosen otherwise because it cannot be removed.
Each method says what it proves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.kube.objects import Node
from cluster.kube.owners import MIRROR
from probes.context import ProbeContext
from probes.inference.policy import End, end_of
from probes.pods.probe_pod import Identity, ephemeral_container, new_name, pod_manifest
from probes.select.image import ImageChoice, choices
from probes.select.labels import Guard, cloned, guard
from probes.select.sources import Source

SIDECARS = frozenset(
    {"istio-proxy", "linkerd-proxy", "envoy", "envoy-sidecar", "consul-dataplane", "kuma-sidecar"}
)

POD = "probe pod"
CLIENT = "exec in the client"
EPHEMERAL = "ephemeral container in the client"
NONE = "not measured"

HOW = ("", "pod", "exec", "ephemeral")
"""Methods that a human may ask for; "" and "pod" start with a probe pod."""

EPHEMERAL_S = 300
THE_CLIENT = "the client"

WITHOUT_WRITE = (
    "An ephemeral container stays in the client's pod for good, so it needs --write: start again "
    "with --write, "
    "or measure with how=exec (inside the client itself) or how=pod (a probe pod beside it)."
)

NO_LABELS = Guard({})

PROVES = {
    POD: (
        "a probe pod with the client's labels on that node: it shows what a new connection of "
        "such a pod meets, not the state of the client itself"
    ),
    CLIENT: (
        "inside a running client: its own address, labels and DNS settings; its other traffic can "
        "hide whether a connection was refused or rejected"
    ),
    EPHEMERAL: (
        "an ephemeral container in the client: its own address, network and policies; it cannot "
        "be removed again"
    ),
    NONE: "read-only evidence: configuration and agents, not the data path",
}


@dataclass(frozen=True, slots=True)
class Vantage:
    """One source with its method. `choices`: images to try in turn; `manifest`: of the pod or the
    ephemeral container, with the first image."""

    source: Source
    method: str
    choices: tuple[ImageChoice, ...] = ()
    guard: Guard = NO_LABELS
    manifest: Mapping[str, Any] | None = None
    container: str = ""
    meshed: bool = False
    reason: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def end(self) -> End:
        """This source as one end of a connection, for NetworkPolicy."""
        if self.method in (CLIENT, EPHEMERAL) and self.source.client is not None:
            return end_of(self.source.client)
        return End(self.source.namespace, dict(self.guard.labels))


def build(
    context: ProbeContext,
    source: Source,
    identity: Identity,
    *,
    image: str = "",
    deadline_s: int = 600,
    no_pods: Sequence[str] = (),
    may_execute: bool = True,
    may_patch: bool = True,
    how: str = "",
) -> Vantage:
    """Chooses the method for one source. `no_pods`: refused rights without which no probe pod is
    created; `may_*`: answers to the access reviews; `how`: one of `HOW`."""
    client = source.client
    meshed = client is not None and any(
        c.name in SIDECARS for c in (*client.spec.containers, *client.spec.init_containers)
    )
    if context.execute is None or not may_execute:
        return Vantage(
            source,
            NONE,
            reason=(
                f"exec is not allowed in namespace {source.namespace} (pods/exec needs get and "
                "create)"
            ),
        )
    if how == "ephemeral" and source.role == THE_CLIENT:
        return _in_client(context, source, identity, image, meshed=meshed, may_patch=may_patch)
    labels = cloned(client.metadata.labels) if client is not None else {}
    guarded = guard(context.store, source.namespace, labels)
    images = choices(context.store, source.node, client, image)
    why_not = ""
    if no_pods:
        why_not = f"{' and '.join(no_pods)} is not allowed in namespace {source.namespace}"
    elif context.writer is None:
        why_not = "there is no connection"
    elif not images:
        why_not = f"no image with a shell is known on {source.node} (give one with image=)"
    elif guarded.refused:
        why_not = guarded.refused
    elif how == "exec":
        why_not = "that was asked for"
    if why_not:
        if (
            client is not None
            and client.spec.node_name == source.node
            and client.status.phase == "Running"
            and client.spec.containers
        ):
            inside = (
                f"{source.namespace} on {source.node}: measured inside {client.metadata.name}, "
                f"because {why_not}"
            )
            warning = f"{inside}; {_left_out(context)}" if source.role == THE_CLIENT else inside
            container = next(
                (c.name for c in client.spec.containers if c.name not in SIDECARS),
                client.spec.containers[0].name,
            )
            return Vantage(
                source,
                CLIENT,
                guard=Guard(labels),
                container=container,
                meshed=meshed,
                warnings=(warning,),
            )
        if how == "exec" or not guarded.refused or context.writer is None or no_pods or not images:
            return Vantage(source, NONE, reason=f"{source.namespace} on {source.node}: {why_not}")
        guarded = NO_LABELS
    where = f"{source.namespace} on {source.node}"
    warnings = (
        []
        if images[0].on_node
        else [f"{where}: {images[0].image} is not known to be on the node, a registry must answer"]
    )
    if why_not:
        warnings.append(
            f"{where}: without the client's labels, because {why_not}; policies may judge it "
            "otherwise"
        )
    if client is not None and client.spec.host_network:
        warnings.append(
            f"{where}: {client.metadata.name} uses the node's network, the probe pod does not; "
            "how=exec measures from it"
        )
    if client is None:
        warnings.append(f"{where}: no client runs there, so the probe pod has no client's labels")
    if meshed:
        warnings.append(
            f"{where}: the clients are in a mesh, the probe pod is not; strict mTLS then resets "
            "connections"
        )
    node: Node | None = context.store.get("Node", "", source.node)
    manifest = pod_manifest(
        new_name(identity.session),
        source.namespace,
        node if node is not None else source.node,
        images[0],
        identity,
        labels=guarded.labels,
        tolerations=client.spec.tolerations if client is not None else (),
        deadline_s=deadline_s,
    )
    return Vantage(source, POD, images, guarded, manifest, warnings=tuple(warnings))


def _in_client(
    context: ProbeContext,
    source: Source,
    identity: Identity,
    image: str,
    *,
    meshed: bool,
    may_patch: bool,
) -> Vantage:
    """An ephemeral container in the client. Refused when it might not start, because a failed one
    also stays."""
    client = source.client
    if client is None or client.spec.node_name != source.node or client.status.phase != "Running":
        return Vantage(
            source,
            NONE,
            reason=(
                f"no running client of {source.namespace} on {source.node} to add an ephemeral "
                "container to"
            ),
        )
    name = f"{client.metadata.namespace}/{client.metadata.name}"
    if MIRROR in client.metadata.annotations:
        return Vantage(
            source,
            NONE,
            reason=f"{name} is a static pod of its kubelet, which takes no ephemeral container",
        )
    if context.writer is None or not may_patch:
        return Vantage(
            source,
            NONE,
            reason=f"ephemeral containers may not be added in namespace {source.namespace}",
        )
    images = tuple(
        choice for choice in choices(context.store, source.node, client, image) if choice.on_node
    )
    if not images:
        why = (
            f"no image with a shell is on {source.node}, and one that cannot be pulled would wait "
            f"in {name} forever"
        )
        return Vantage(source, NONE, reason=why)
    container = ephemeral_container(new_name(identity.session), images[0], EPHEMERAL_S)
    warning = (
        f"the ephemeral container {container['name']} CANNOT BE REMOVED from {name}: its process "
        f"ends after {EPHEMERAL_S} s, "
        "its entry stays until the pod is deleted; it uses the pod's own memory limit"
    )
    return Vantage(
        source,
        EPHEMERAL,
        images[:1],
        Guard({}),
        container,
        container["name"],
        meshed,
        warnings=(warning,),
    )


def _left_out(context: ProbeContext) -> str:
    """How to ask for an ephemeral container."""
    return (
        f"if it has no shell: how=ephemeral{'' if context.may_stay else ' with --write'}, whose "
        "container stays in it for good"
    )
