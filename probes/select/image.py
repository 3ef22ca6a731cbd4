"""Chooses the image of a probe pod: one that the node has already, because the registry may be
down.

A node has an image when it lists it (status.images, often cut to 50), or when a container of it
runs or ran there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cluster.kube.objects import ContainerState, Node, Pod
from cluster.live.store import Store

_WITH_SHELL = (
    re.compile(r"(^|/)netshoot\b"),
    re.compile(r"(^|/)(stanch-)?(busybox|toolbox|debug-tools?)\b"),
    re.compile(r"(^|/)alpine\b"),
    re.compile(r"(^|/)agnhost\b"),
    re.compile(r"(^|/)(debian|ubuntu|python|curl)\b"),
    re.compile(r"alpine"),
)
"""Images known to have a shell and a way to connect, best first."""

_LIKELY = re.compile(
    r"(^|/)(nginx|redis|postgres|mysql|mariadb|httpd|haproxy|memcached|rabbitmq|node|php|ruby"
    r"|openjdk|tomcat)\b|ingress"
)
"""Images that usually have a shell; tried after the client's own."""


@dataclass(frozen=True, slots=True)
class ImageChoice:
    """`on_node`: the node has the image, so the pull policy is Never."""

    image: str
    on_node: bool
    why: str

    @property
    def pull_policy(self) -> str:
        return "Never" if self.on_node else "IfNotPresent"


def images_on(store: Store, node: str) -> tuple[str, ...]:
    """Sorted names of the images on a node."""
    names: set[str] = set()
    row: Node | None = store.get("Node", "", node)
    if row is not None:
        for image in row.status.images:
            names.update(name for name in image.names if "<none>" not in name)
    for pod in store.pods_on(node).values():
        started = {
            status.name
            for status in pod.status.container_statuses
            if _ran(status.state) or _ran(status.last_state)
        }
        names.update(
            container.image
            for container in pod.spec.containers
            if container.name in started and container.image
        )
    return tuple(sorted(names))


def _ran(state: ContainerState) -> bool:
    ended = state.terminated  # without times where the kubelet found no container
    return state.running is not None or (ended is not None and ended.started_at is not None)


def choices(
    store: Store, node: str, client: Pod | None = None, given: str = ""
) -> tuple[ImageChoice, ...]:
    """Images to try on this node, best first; empty when none is known there and none was given."""
    present = images_on(store, node)
    found: list[ImageChoice] = []
    if given:
        here = given in present
        found.append(
            ImageChoice(
                given,
                here,
                "the image that was asked for"
                + (", already on the node" if here else ", to be pulled"),
            )
        )
    for pattern in _WITH_SHELL:
        named = [name for name in present if pattern.search(name.split("@")[0].lower())]
        # A tag is easier to read than a digest; both name the same content on the node.
        for name in sorted(named, key=lambda n: ("@" in n, n))[:1]:
            found.append(ImageChoice(name, True, f"already on {node}, known to have a shell"))
    if client is not None:
        for container in client.spec.containers:
            if container.image in present:
                found.append(
                    ImageChoice(container.image, True, f"the client's own image, already on {node}")
                )
    found += [
        ImageChoice(name, True, f"already on {node}, usually has a shell")
        for name in present
        if _LIKELY.search(name.lower())
    ][:1]
    if client is not None and not found:
        for container in client.spec.containers[:1]:
            found.append(
                ImageChoice(
                    container.image,
                    False,
                    f"the client's own image, not known to be on {node}: a registry must answer",
                )
            )
    unique: dict[str, ImageChoice] = {}
    for each in found:
        unique.setdefault(each.image, each)
    return tuple(unique.values())
