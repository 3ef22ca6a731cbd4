"""kube-controller-manager and kube-scheduler for a test cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.rungs.programs.apiserver import SERVICE_RANGE, ApiServer
from tests.rungs.programs.kubeconfig import write
from tests.rungs.programs.processes import Process, flags, free_port, start

# The client-side limits of a production cluster (20 requests a second) would make a test wait for
# them.
RATE = {"kube-api-qps": "500", "kube-api-burst": "1000"}


def start_workload_controllers(
    stack: ExitStack,
    binaries: Mapping[str, Path],
    directory: Path,
    api: ApiServer,
    *,
    enter: Sequence[str] = (),
) -> dict[str, Process]:
    """Start both with identities of their own; they need no readiness wait, their clients retry."""
    root = api.authority.root.certificate

    def identity(name: str) -> Path:
        certificate = api.authority.issue(name, f"system:{name}")
        return write(directory / f"{name}.kubeconfig", api.server, root, client=certificate)

    manager = {
        "kubeconfig": identity("kube-controller-manager"),
        "leader-elect": "false",
        "use-service-account-credentials": "true",
        "service-account-private-key-file": api.service_accounts.key,
        "root-ca-file": root,
        "cluster-signing-cert-file": root,
        "cluster-signing-key-file": api.authority.root.key,
        "service-cluster-ip-range": SERVICE_RANGE,
        "allocate-node-cidrs": "false",
        "bind-address": "127.0.0.1",
        "secure-port": _port(enter, 10257),
        # Pods get no token here, so no pod needs the ConfigMap that it puts into every namespace.
        "controllers": "*,-root-ca-certificate-publisher-controller",
        **RATE,
    }
    scheduler = {
        "kubeconfig": identity("kube-scheduler"),
        "leader-elect": "false",
        "bind-address": "127.0.0.1",
        "secure-port": _port(enter, 10259),
        **RATE,
    }
    settings = {"kube-controller-manager": manager, "kube-scheduler": scheduler}
    return {
        name: start(stack, name, [binaries[name], *flags(chosen)], directory, enter=enter)
        for name, chosen in settings.items()
    }


def _port(enter: Sequence[str], usual: int) -> int:
    return usual if enter else free_port()
