"""How each source of a plan is measured from: the fall-back ladder, from a pod of our own down to reading only.

In this order: a probe pod with the client's identity from an image that the node has (or that was asked for); the real client itself by
exec; nothing, and then the plan says what remains. Each rung says what it proves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cluster.objects import Node, Pod
from probes.context import ProbeContext
from probes.debugpod import Identity, new_name, pod_manifest
from probes.image import ImageChoice, choices
from probes.labels import Guard, cloned, guard
from probes.plan import Source
from probes.policy import End, end_of

SIDECARS = frozenset({"istio-proxy", "linkerd-proxy", "envoy", "envoy-sidecar", "consul-dataplane", "kuma-sidecar"})

POD = "probe pod"
CLIENT = "exec in the client"
NONE = "not measured"

NO_LABELS = Guard({})

PROVES = {
    POD: "a probe pod with the client's labels on that node: proves what a new connection of such a pod meets; not the client's own state",
    CLIENT: "exec in the client itself: exact identity, node and DNS settings; other traffic in it can blur refused against rejected",
    NONE: "read-only evidence: configuration and agents, not the data path",
}


@dataclass(frozen=True, slots=True)
class Station:
    """One source with the way it is measured. `choices` are images to try in turn; `manifest` is for the first of them."""

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
        """This source as NetworkPolicy sees it."""
        if self.method == CLIENT and self.source.client is not None:
            return end_of(self.source.client)
        return End(self.source.namespace, dict(self.guard.labels))


def build(
    context: ProbeContext, source: Source, identity: Identity, *, image: str = "", deadline_s: int = 600, may_create: bool = True,
    may_execute: bool = True,
) -> Station:  # fmt: skip
    """Choose the rung for one source. Pure over the store; `may_*` are the server's answers to the access reviews."""
    client = source.client
    meshed = client is not None and any(c.name in SIDECARS for c in (*client.spec.containers, *client.spec.init_containers))
    if context.execute is None or not may_execute:
        return Station(source, NONE, reason=f"exec is not allowed in namespace {source.namespace} (pods/exec needs get and create)")
    labels = cloned(client.metadata.labels) if client is not None else {}
    guarded = guard(context.store, source.namespace, labels)
    images = choices(context.store, source.node, client, image)
    why_not = ""
    if context.writer is None or not may_create:
        why_not = f"pods may not be created in namespace {source.namespace}"
    elif not images:
        why_not = f"no image with a shell is known on {source.node} (give one with image=)"
    elif guarded.refused:
        why_not = guarded.refused
    if why_not:
        if client is not None and client.spec.node_name == source.node and client.status.phase == "Running" and client.spec.containers:
            warning = f"{source.namespace} on {source.node}: measured inside {client.metadata.name}, because {why_not}"
            container = next((c.name for c in client.spec.containers if c.name not in SIDECARS), client.spec.containers[0].name)
            return Station(source, CLIENT, guard=Guard(labels), container=container, meshed=meshed, warnings=(warning,))
        if not guarded.refused or context.writer is None or not may_create or not images:
            other = _ephemeral(client) if client is not None else ""
            return Station(source, NONE, reason=f"{source.namespace} on {source.node}: {why_not}{other}")
        guarded = NO_LABELS
    where = f"{source.namespace} on {source.node}"
    warnings = [] if images[0].on_node else [f"{where}: {images[0].image} is not known to be on the node, a registry must answer"]
    if why_not:
        warnings.append(f"{where}: without the client's labels, because {why_not}; policies may judge it otherwise")
    if client is None:
        warnings.append(f"{where}: no running client there whose labels could be taken")
    if meshed:
        warnings.append(f"{where}: the clients are in a mesh, the probe pod is not; strict mTLS then resets connections")
    node: Node | None = context.store.get("Node", "", source.node)
    manifest = pod_manifest(
        new_name(identity.session), source.namespace, node if node is not None else source.node, images[0], identity,
        labels=guarded.labels, tolerations=client.spec.tolerations if client is not None else (), deadline_s=deadline_s,
    )  # fmt: skip
    return Station(source, POD, images, guarded, manifest, warnings=tuple(warnings))


def _ephemeral(client: Pod) -> str:
    meta = client.metadata
    return (
        f"; by hand: kubectl debug -n {meta.namespace} {meta.name} --profile=restricted --image=IMAGE -it -- sh "
        "(an ephemeral container cannot be removed again)"
    )
