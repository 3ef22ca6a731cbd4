"""A network agent that its cloud refuses, and the nodes and pods that wait for it."""

from __future__ import annotations

import pytest

from cluster.kube.objects import Ref
from tests.triage.build import Cluster, ago, ts
from tests.triage.situation import MATCHER, look, pending
from triage.facts.finding import Report
from triage.facts.measurements import LastWords
from triage.logs.classify import verdict

UNAUTHORIZED = (
    '{"level":"error","msg":"Failed to call ec2:DescribeNetworkInterfaces for [eni-0a1]: '
    'UnauthorizedOperation: You are not authorized to perform this operation."}'
)
NO_ROLE = '{"level":"error","msg":"Failed to retrieve attached ENIs: no EC2 IMDS role found"}'
FINE = '{"level":"info","msg":"Starting L-IPAMD"}'
NOT_READY = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
    "message:Network plugin returns error: cni plugin not initialized"
)
REFUSED = (
    'Failed to create pod sandbox: plugin type="aws-cni" name="aws-cni" failed (add): Error '
    "received from AddNetwork gRPC call: rpc error: code = Unavailable desc = connection error: "
    'desc = "transport: Error while dialing: dial tcp 127.0.0.1:50051: connect: connection refused"'
)


def situation(log: str, unready: bool, waiting: bool) -> Report:
    """Two of three nodes have an agent that crashes with these words."""
    cluster = Cluster(3)
    cluster.deployment("calm", "other", replicas=3)
    work = cluster.deployment(
        "aws-node",
        "kube-system",
        kind="DaemonSet",
        spec={
            "hostNetwork": True,
            "containers": [{"name": "aws-node", "image": "reg.io/amazon-k8s-cni:v1.19.0"}],
        },
    )
    work["status"]["numberReady"] = 1
    end = {
        "exitCode": 1,
        "reason": "Error",
        "startedAt": ts(ago(minutes=4)),
        "finishedAt": ts(ago(minutes=3)),
    }
    said = []
    for pod in work["pods"]:
        node = pod["spec"]["nodeName"]
        if node == "n3":
            continue
        pod["metadata"]["creationTimestamp"] = ts(ago(hours=2))
        cluster.waiting(pod, "CrashLoopBackOff", restarts=9, phase="Running", last=end)
        ref = Ref("Pod", "kube-system", pod["metadata"]["name"])
        said.append(LastWords(ref, "aws-node", verdict([log]), ""))
        if unready:
            raw = next(each for each in cluster.nodes if each["metadata"]["name"] == node)
            cluster.not_ready(raw, ago(minutes=18), "False", "KubeletNotReady", NOT_READY)
        if waiting:
            web = pending(cluster, f"web-{node}", node=node, since=ago(minutes=18))
            cluster.pod_event(
                web, "FailedCreatePodSandBox", REFUSED, ago(minutes=1), ago(minutes=17), count=60
            )
    return look(cluster, said)


@pytest.mark.parametrize("log", [UNAUTHORIZED, NO_ROLE], ids=["not authorized", "no role"])
@pytest.mark.parametrize(
    ("unready", "waiting", "begins"),
    [
        (True, False, "2 nodes are not ready: the network plugin is not ready"),
        (False, True, "pods of web-n1 and web-n2 do not start: the network agent is away"),
        (True, True, "2 nodes are not ready: the network plugin is not ready"),
    ],
)
def test_what_its_cloud_says_stands_on_the_line_of_what_waits_for_it(
    log: str, unready: bool, waiting: bool, begins: str
) -> None:
    report = situation(log, unready, waiting)
    [symptom] = report.symptoms
    assert symptom.title.startswith(f"{begins} (aws-node exits 1: Failed to ")
    matches = MATCHER.match_symptom(symptom, report)
    assert (matches[0].id, matches[0].confident) == ("crash-credentials-refused", True)
    assert "cni-not-ready-on-new-node" not in {match.id for match in matches if match.confident}


def test_an_agent_without_a_word_is_no_refusal() -> None:
    report = situation(FINE, unready=True, waiting=True)
    assert report.symptoms[0].title.endswith(" (2 pods of aws-node are in a crash loop)")
    matches = MATCHER.match_symptom(report.symptoms[0], report)
    assert "crash-credentials-refused" not in {match.id for match in matches}


def test_a_node_without_a_network_names_the_agent_that_fails_on_it() -> None:
    cluster = Cluster(3)
    cluster.deployment("calm", "other", replicas=3)
    containers = [{"name": "calico-node", "image": "quay.io/calico/node:v3.29.3"}]
    work = cluster.deployment(
        "calico-node",
        "kube-system",
        kind="DaemonSet",
        spec={"hostNetwork": True, "containers": containers},
    )
    pod = next(each for each in work["pods"] if each["spec"]["nodeName"] == "n2")
    cluster.waiting(pod, "CrashLoopBackOff", restarts=9, phase="Running", last=END)
    down = {"type": "NetworkUnavailable", "status": "True", "reason": "CalicoIsDown"}
    cluster.nodes[1]["status"]["conditions"].append(
        {**down, "lastTransitionTime": ts(ago(minutes=20))}
    )
    said = "failed to query the config map: Get https://10.96.0.1:443/: context deadline exceeded"
    ref = Ref("Pod", "kube-system", pod["metadata"]["name"])
    report = look(cluster, [LastWords(ref, "calico-node", verdict([said]), said)])
    symptom = report.symptoms[0]
    assert (
        symptom.title == f"n2: the network of the node is not set up (calico-node exits 1: {said})"
    )
    sure = {each.id for each in MATCHER.match_symptom(symptom, report) if each.confident}
    assert sure == {"crash-dependency-unreachable"}


END = {
    "exitCode": 1,
    "reason": "Error",
    "startedAt": ts(ago(minutes=4)),
    "finishedAt": ts(ago(minutes=3)),
}


def test_an_agent_that_is_away_from_an_old_node_has_the_page_of_sandboxes() -> None:
    report = situation(FINE, unready=False, waiting=True)
    matches = MATCHER.match_symptom(report.symptoms[0], report)
    assert (matches[0].id, matches[0].confident) == ("sandbox-cannot-be-made", True)
