"""Rungs 1 and 2: a real control plane on loopback, by itself or with controllers, scheduler and
kwok."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.rungs.build import programs
from tests.rungs.cluster import Cluster
from tests.rungs.programs import etcd, kubeconfig
from tests.rungs.programs.apiserver import TOKENS, ApiServer, start_apiserver
from tests.rungs.programs.kwok import start_kwok
from tests.rungs.programs.processes import Process
from tests.rungs.workloads import start_workload_controllers

CONTROL_PLANE = ("etcd", "kube-apiserver")
WORKLOADS = ("kube-controller-manager", "kube-scheduler", "kwok")


@contextmanager
def control_plane(
    *,
    objects: Iterable[Mapping[str, Any]] = (),
    workloads: bool = False,
    directory: Path | None = None,
) -> Iterator[Cluster]:
    """Start etcd and kube-apiserver (rung 1); with `workloads` controller-manager, scheduler and
    kwok too (rung 2).

    `objects` are written into etcd before the API server starts, so they keep their uids, times,
    managers and status. With objects of your own on rung 1 the server writes no Endpoints for
    `default/kubernetes`. Raises RungMissing, StartFailed.
    """
    binaries = programs(*CONTROL_PLANE, *(WORKLOADS if workloads else ()))
    with ExitStack() as stack:
        home = directory or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="stanch-rung-"))
        )
        store, client = etcd.start_etcd(stack, binaries["etcd"], home)
        loaded = etcd.load(client, objects)
        api = start_apiserver(
            stack, binaries["kube-apiserver"], home, client, endpoints=workloads or not loaded
        )
        processes: dict[str, Process] = {"etcd": store, "kube-apiserver": api.process}
        if workloads:
            processes |= start_workload_controllers(stack, binaries, home, api)
            processes["kwok"] = start_kwok(stack, binaries["kwok"], home, api.kubeconfig)
        yield Cluster(
            "control plane",
            api.kubeconfig,
            home,
            viewer=viewer(home, api),
            processes=processes,
            store=client,
        )


def viewer(home: Path, api: ApiServer) -> Path:
    """The kubeconfig of the user `viewer`, by token."""
    return kubeconfig.write(
        home / "viewer.kubeconfig",
        api.server,
        api.authority.root.certificate,
        token=TOKENS["viewer"],
    )
