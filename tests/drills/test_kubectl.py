"""kubectl works against a drill, unchanged."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest

from drills.server.run import serve_in_thread
from tests.drills.conftest import scenario

Kubectl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl is not on PATH")
    home = tmp_path_factory.mktemp("home")
    with serve_in_thread(scenario(), speed=20.0) as server:
        server.write_kubeconfig(home / "config")
        environment = {
            "HOME": str(home),
            "KUBECONFIG": str(home / "config"),
            "PATH": os.environ["PATH"],
        }

        def call(
            *words: str, stdin: str | None = None, ok: bool = True
        ) -> subprocess.CompletedProcess[str]:
            done = subprocess.run(
                [program, "--request-timeout=20s", *words],
                env=environment,
                input=stdin,
                text=True,
                capture_output=True,
                timeout=60,
                check=False,
            )
            assert not ok or done.returncode == 0, done.stderr
            return done

        yield call


DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: tools}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "nginx:1.29.1", ports: [{containerPort: 80}]}]}
"""


def test_get(kubectl: Kubectl) -> None:
    assert "node-a1" in kubectl("get", "nodes").stdout
    wide = kubectl("get", "pods", "-A", "-o", "wide").stdout.splitlines()
    assert wide[0].split() == [
        "NAMESPACE",
        "NAME",
        "READY",
        "STATUS",
        "RESTARTS",
        "AGE",
        "IP",
        "NODE",
        "NOMINATED",
        "NODE",
        "READINESS",
        "GATES",
    ]
    assert len(wide) > 150
    kinds = kubectl("api-resources", "--verbs=list", "-o", "name").stdout.split()
    assert len(kinds) > 35
    kubectl("get", ",".join(kinds), "-A", "-o", "name")
    assert (
        kubectl(
            "get", "deploy", "-n", "search", "suggest", "-o", "jsonpath={.status.readyReplicas}"
        ).stdout
        == "3"
    )


def test_describe_logs_exec(kubectl: Kubectl) -> None:
    name = kubectl(
        "get", "pods", "-n", "search", "-l", "app.kubernetes.io/name=suggest", "-o", "name"
    ).stdout.split()[0]
    assert "Controlled By:  ReplicaSet/suggest-" in kubectl("describe", "-n", "search", name).stdout
    assert "Non-terminated Pods:" in kubectl("describe", "node", "node-a1").stdout
    assert (
        len(kubectl("logs", "-n", "search", name, "--tail=3", "--timestamps").stdout.splitlines())
        == 3
    )
    assert kubectl("exec", "-n", "search", name, "--", "echo", "hello").stdout == "hello\n"
    failed = kubectl("exec", "-n", "search", name, "--", "sh", "-c", "exit 3", ok=False)
    assert failed.returncode == 3


def test_apply_scale_delete(kubectl: Kubectl) -> None:
    assert kubectl("apply", "-f", "-", stdin=DEPLOYMENT).stdout == "deployment.apps/web created\n"
    assert kubectl("apply", "-f", "-", stdin=DEPLOYMENT).stdout == "deployment.apps/web unchanged\n"
    newer = DEPLOYMENT.replace("1.29.1", "1.29.2")
    assert (
        "configured (server dry run)"
        in kubectl("apply", "--dry-run=server", "-f", "-", stdin=newer).stdout
    )
    assert kubectl("apply", "-f", "-", stdin=newer).stdout == "deployment.apps/web configured\n"
    kubectl("rollout", "status", "deploy/web", "-n", "tools", "--timeout=20s")
    kubectl("scale", "deploy/web", "-n", "tools", "--replicas=3")
    kubectl(
        "wait",
        "deploy/web",
        "-n",
        "tools",
        "--for=jsonpath={.status.readyReplicas}=3",
        "--timeout=20s",
    )
    kubectl("delete", "deploy/web", "-n", "tools")
    kubectl("wait", "pod", "-n", "tools", "-l", "app=web", "--for=delete", "--timeout=20s")


def test_create_with_the_generated_clients(kubectl: Kubectl) -> None:
    kubectl("create", "namespace", "fresh")
    kubectl("create", "configmap", "settings", "-n", "fresh", "--from-literal=a=b")
    assert (
        kubectl("get", "configmap", "settings", "-n", "fresh", "-o", "jsonpath={.data.a}").stdout
        == "b"
    )
    assert kubectl("auth", "can-i", "list", "secrets").stdout == "yes\n"


def test_cordon_and_drain(kubectl: Kubectl) -> None:
    kubectl("cordon", "node-c4")
    assert "Ready,SchedulingDisabled" in kubectl("get", "node", "node-c4").stdout
    kubectl("drain", "node-c4", "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=40s")
    left = kubectl(
        "get",
        "pods",
        "-A",
        "--field-selector=spec.nodeName=node-c4,status.phase=Running",
        "-o",
        "jsonpath={.items[*].metadata.ownerReferences[0].kind}",
    ).stdout.split()
    assert set(left) == {"DaemonSet"}
    kubectl("uncordon", "node-c4")
