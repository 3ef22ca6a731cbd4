"""Test clusters from a shell: `python -m tests.rungs up --rung 3 --kubeconfig PATH`, then `...
reject` for the story's fault."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.rungs.build import PACKAGES, program
from tests.rungs.cluster import Cluster
from tests.rungs.controlplane import control_plane
from tests.rungs.enforcement import reject
from tests.rungs.network import Namespace
from tests.rungs.nodes import nodes
from tests.rungs.population import population
from tests.rungs.programs.processes import RungMissing, StartFailed


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 ended by signal, 2 wrong use, 3 this machine cannot climb the rung or a program
    did not start."""
    parser = argparse.ArgumentParser(prog="python -m tests.rungs", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser(
        "up", help="start a cluster, print one line of JSON, run until SIGTERM or Ctrl-C"
    )
    up.add_argument("--rung", type=int, choices=(1, 2, 3), default=1)
    up.add_argument(
        "--kubeconfig",
        type=Path,
        required=True,
        help="where to write the administrator's kubeconfig",
    )
    up.add_argument("--nodes", type=int, default=0, help="rung 2: nodes that kwok plays")
    up.add_argument(
        "--pods", type=int, default=0, help="rung 2: pods on them, there from the start"
    )
    bad = commands.add_parser(
        "reject",
        help=(
            "rung 3: reject connections between two namespaces on one node, until SIGTERM or Ctrl-C"
        ),
    )
    bad.add_argument("--kubeconfig", type=Path, required=True, help="the file that `up` wrote")
    bad.add_argument("--node", default="node-2")
    bad.add_argument("--from", dest="source", default="nginx")
    bad.add_argument("--to", dest="target", default="marketplace")
    commands.add_parser("build", help="build every program now and print where it is")
    options = parser.parse_args(arguments)
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: over.set())
    try:
        with ExitStack() as stack:
            if options.command == "build":
                for name in PACKAGES:
                    print(f"{name}: {program(name)}", flush=True)
                return 0
            describe = _up(stack, options) if options.command == "up" else _reject(stack, options)
            print(json.dumps(describe), flush=True)
            over.wait()
    except (RungMissing, StartFailed) as problem:
        print(problem, file=sys.stderr)
        return 3
    return 0


def _up(stack: ExitStack, options: argparse.Namespace) -> dict[str, object]:
    members: dict[str, dict[str, object]] = {}
    if options.rung == 3:
        lab = stack.enter_context(nodes())
        cluster: Cluster = lab.cluster
        members = {
            name: {"pid": member.namespace.pid, "address": member.address, "pods": member.pod_range}
            for name, member in lab.members.items()
        }
    else:
        objects = population(nodes=options.nodes, pods=options.pods) if options.nodes else ()
        cluster = stack.enter_context(control_plane(objects=objects, workloads=options.rung == 2))
    options.kubeconfig.touch(mode=0o600)
    options.kubeconfig.write_text(cluster.kubeconfig.read_text())
    about: dict[str, object] = {
        "rung": options.rung,
        "server": cluster.server,
        "kubeconfig": str(options.kubeconfig),
        "logs": str(cluster.directory),
        "images": list(cluster.images),
        "nodes": members,
        "pids": {name: process.pid for name, process in cluster.processes.items()},
    }
    _about(options.kubeconfig).write_text(json.dumps(about))
    stack.callback(_about(options.kubeconfig).unlink, missing_ok=True)
    return about


def _reject(stack: ExitStack, options: argparse.Namespace) -> dict[str, object]:
    known = json.loads(_about(options.kubeconfig).read_text())["nodes"]
    node = Namespace(options.node, known[options.node]["pid"], whole=True)
    stack.enter_context(
        reject(options.kubeconfig, node, source=options.source, target=options.target)
    )
    return {"node": options.node, "from": options.source, "to": options.target}


def _about(kubeconfig: Path) -> Path:
    """The description of a running cluster, beside its kubeconfig."""
    return kubeconfig.with_name(kubeconfig.name + ".lab.json")


if __name__ == "__main__":
    sys.exit(main())
