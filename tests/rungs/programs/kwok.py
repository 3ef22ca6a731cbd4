"""kwok: plays the kubelets of nodes that carry the annotation `kwok.x-k8s.io/node: fake`."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from tests.rungs.programs.processes import Process, flags, free_port, start

ANNOTATION = "kwok.x-k8s.io/node"
UNTOUCHED = {"kwok.x-k8s.io/status": "custom"}
"""Annotation of pods that stay as they are once they are scheduled: a test plays their kubelet."""


def start_kwok(
    stack: ExitStack, binary: Path, directory: Path, kubeconfig: Path, *, value: str = "fake"
) -> Process:
    """Start kwok with its built-in stages: nodes with heartbeats by Lease, pods that become Running
    at once.

    `value`: of the annotation of the nodes that it plays. A second kwok with another value is a
    group of nodes that can be killed.
    """
    settings = {
        "kubeconfig": kubeconfig,
        "manage-all-nodes": "false",
        "manage-nodes-with-annotation-selector": f"{ANNOTATION}={value}",
        "disregard-status-with-annotation-selector": "kwok.x-k8s.io/status=custom",
        "node-lease-duration-seconds": 40,
        "cidr": "10.128.0.0/9",
        "node-ip": "192.0.2.2",  # RFC 5737: an address without a host, which no test dials
        "server-address": f"127.0.0.1:{free_port()}",
    }
    return start(
        stack, "kwok" if value == "fake" else f"kwok-{value}", [binary, *flags(settings)], directory
    )
