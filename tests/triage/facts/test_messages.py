"""Events and their messages: time, object and cause by the text."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.kube.event_times import last_time
from cluster.kube.objects import Event, Ref
from tests.triage.build import NOW, ago, ts
from triage.facts.events import EventMemory, about
from triage.facts.messages.control_plane import (
    _API,
    _ETCD,
    _LOOKUP,
    api_error,
    etcd_error,
    lookup_failure,
    message_signs,
)
from triage.facts.messages.scheduler import scheduling
from triage.facts.messages.volumes import missing_config
from triage.facts.messages.wording import quoted


def event(**raw: object) -> Event:
    base = {
        "metadata": {
            "name": "e",
            "namespace": "default",
            "uid": "u1",
            "creationTimestamp": ts(ago(hours=1)),
        },
        "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "p"},
    }
    return msgspec.convert({**base, **raw}, Event, strict=False)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (
            {
                "firstTimestamp": ts(ago(minutes=30)),
                "lastTimestamp": ts(ago(minutes=3)),
                "count": 7,
            },
            ago(minutes=3),
        ),
        (
            {
                "firstTimestamp": None,
                "lastTimestamp": None,
                "eventTime": ago(minutes=9).isoformat(),
                "series": {"count": 4, "lastObservedTime": ago(minutes=2).isoformat()},
            },
            ago(minutes=2),
        ),
        ({"lastTimestamp": None, "eventTime": ago(minutes=9).isoformat()}, ago(minutes=9)),
        ({"lastTimestamp": None}, ago(hours=1)),
    ],
)
def test_an_event_always_has_a_time(raw: dict[str, object], expected: datetime) -> None:
    assert last_time(event(**raw)) == expected


def test_events_about_nodes_have_no_namespace_and_are_kept_beyond_their_hour() -> None:
    memory = EventMemory(limit=3)
    seen = event(
        involvedObject={"kind": "Node", "name": "n1", "namespace": "default"},
        reason="SystemOOM",
        lastTimestamp=ts(ago(minutes=5)),
        message="(combined from similar events): x",
    )
    assert about(seen) == Ref("Node", "", "n1")
    assert memory.see(seen) == Ref("Node", "", "n1")
    assert memory.see(seen) is None, "the same observation says nothing new"
    again = event(
        involvedObject={"kind": "Node", "name": "n1"},
        reason="SystemOOM",
        lastTimestamp=ts(ago(minutes=1)),
        count=3,
    )
    assert memory.see(again) is not None
    kept = memory.reasons("SystemOOM")
    assert (len(kept), kept[0].count, kept[0].times[-1]) == (1, 3, ago(minutes=1))
    for number in range(5):
        memory.see(
            event(
                metadata={
                    "name": f"e{number}",
                    "uid": f"v{number}",
                    "namespace": "shop",
                    "creationTimestamp": ts(NOW),
                }
            )
        )
    assert len(memory) == 3
    memory.forget_before(NOW + timedelta(days=3))
    assert len(memory) == 0


ETCD_GONE, NO_HOST = (
    "rpc error: etcdserver: request timed out",
    "lookup db.shop on 10.0.0.10:53: no such host",
)


def test_what_messages_tell_follows_the_events() -> None:
    memory = EventMemory(limit=2)

    def see(name: str, message: str, minutes: int) -> None:
        memory.see(
            event(
                metadata={"name": name, "uid": name, "namespace": "shop"},
                message=message,
                lastTimestamp=ts(ago(minutes=minutes)),
            )
        )

    def told() -> dict[str, tuple[object, ...]]:
        return {fact.uid: tuple(said) for fact, said in memory.with_signs()}

    see("a", ETCD_GONE, 9)
    see("b", "Started container web", 8)
    assert told() == {"a": ("timeout", False, "")}
    see("a", NO_HOST, 7)  # the same event, with other words by now
    assert told() == {"a": ("", False, "not-found")}
    see("a", "Started container web", 6)
    assert told() == {}
    see("b", ETCD_GONE, 5)
    see("c", "quiet", 4)
    see("d", "quiet", 3)  # the oldest are forgotten
    assert told() == {}


ASCII = st.characters(max_codepoint=127)


@given(
    st.from_regex(_ETCD, alphabet=ASCII)
    | st.from_regex(_API, alphabet=ASCII)
    | st.from_regex(_LOOKUP, alphabet=ASCII)
)
def test_the_quick_look_at_a_message_misses_nothing(message: str) -> None:
    assert message_signs(message) == (
        etcd_error(message),
        api_error(message),
        lookup_failure(message),
    )


def test_most_messages_tell_nothing() -> None:
    assert message_signs("Back-off restarting failed container web in pod web-0_shop(1)") is None
    assert (
        message_signs("unable to ensure pod container exists: something else") is None
    )  # a hint alone is not enough


@pytest.mark.parametrize(
    ("message", "causes", "nodes"),
    [
        (
            "0/5 nodes are available: 2 Insufficient memory, 3 node(s) had untolerated taint "
            "{node.kubernetes.io/unreachable: }. "
            "preemption: 0/5 nodes are available: 5 x",
            ["node-not-ready", "insufficient-memory"],
            5,
        ),
        (
            "0/4 nodes are available: 4 node(s) had taints that the pod didn't tolerate.",
            ["taint"],
            4,
        ),
        (
            "0/3 nodes are available: 1 Too many pods, 2 node(s) didn't match Pod's node "
            "affinity/selector.",
            ["insufficient-pods", "affinity"],
            3,
        ),
        (
            "0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules.",
            ["anti-affinity"],
            3,
        ),
        (
            "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
            ["volume-unbound"],
            0,
        ),
        ('persistentvolumeclaim "x" not found', ["claim-missing"], 0),
        ("0/2 nodes are available: 2 node(s) were unschedulable.", ["cordoned"], 2),
        ("0/2 nodes are available: 2 node(s) exceed max volume count.", ["volume-count"], 2),
    ],
)
def test_scheduler_texts(message: str, causes: list[str], nodes: int) -> None:
    read = scheduling(message)
    assert ([c for c, _ in read.causes], read.nodes) == (causes, nodes)


@pytest.mark.parametrize(
    ("message", "cause", "detail"),
    [
        (
            "0/4 nodes are available: 1 node(s) had untolerated taint "
            "{node-role.kubernetes.io/control-plane: }, 3 node(s) had untolerated taint "
            "{maintenance: yes}. preemption: 0/4 nodes are available: 4 x",
            "taint",
            "maintenance",
        ),
        (
            "0/5 nodes are available: 2 Insufficient cpu, 3 node(s) had untolerated taint "
            "{node-role.kubernetes.io/control-plane: }.",
            "insufficient-cpu",
            "",
        ),
        (
            "0/4 nodes are available: 1 node(s) had untolerated taint {gpu: }, 3 node(s) had "
            "untolerated taint {team: b}.",
            "taint",
            "team",
        ),
        (
            "0/6 nodes are available: 2 Insufficient nvidia.com/gpu, 4 node(s) didn't match Pod's "
            "node affinity/selector.",
            "insufficient-other",
            "nvidia.com/gpu",
        ),
        (
            "0/5 nodes are available: 2 node(s) didn't match Pod's node affinity/selector, 3 "
            "node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }.",
            "affinity",
            "",
        ),
        (
            "0/3 nodes are available: 3 node(s) had untolerated taint "
            "{node-role.kubernetes.io/control-plane: }.",
            "taint",
            "node-role.kubernetes.io/control-plane",
        ),
    ],
)
def test_nodes_that_were_never_meant_decide_last(message: str, cause: str, detail: str) -> None:
    read = scheduling(message)
    assert (read.causes[0][0], read.detail) == (cause, detail)


@pytest.mark.parametrize(
    ("taint", "masters", "causes", "nodes"),
    [
        ("taint {node-role.kubernetes.io/control-plane: }", 0, {"anti-affinity": 3}, 3),
        ("taint {maintenance: }", 1, {"anti-affinity": 3, "taint": 2}, 5),
        ("taint(s)", 0, {"anti-affinity": 3, "taint": 2}, 5),
        ("taint(s)", 1, {"anti-affinity": 3, "taint": 1}, 4),
        ("taint(s)", 2, {"anti-affinity": 3}, 3),
    ],
)
def test_nodes_of_the_control_plane_are_counted_apart(
    taint: str, masters: int, causes: dict[str, int], nodes: int
) -> None:
    read = scheduling(
        f"0/5 nodes are available: 2 node(s) had untolerated {taint}, 3 node(s) didn't match pod "
        "anti-affinity rules. preemption: 0/5 nodes are available: 5 x",
        masters=masters,
    )
    assert (dict(read.causes), read.nodes, read.control_plane) == (causes, nodes, 5 - nodes)


@pytest.mark.parametrize(
    ("own", "cause"),
    [
        ("1 Too many pods", "insufficient-pods"),
        ("1 node(s) didn't have free ports for the requested pod ports", "host-port"),
        ("1 node(s) had untolerated taint {dedicated: db}", "taint"),
    ],
)
@pytest.mark.parametrize(
    "others",
    [
        "45 node(s) didn't satisfy plugin(s) [NodeAffinity]",
        "45 node(s) didn't match Pod's node affinity/selector",
    ],
)
def test_the_node_of_a_bound_pod_decides(own: str, cause: str, others: str) -> None:
    message = f"0/46 nodes are available: {own}, {others}. preemption: 0/46 nodes are available"
    assert scheduling(message, bound=True).causes == ((cause, 1),)
    alone = f"0/45 nodes are available: {others}."
    assert scheduling(alone, bound=True).causes == (("affinity", 45),)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            'MountVolume.SetUp failed for volume "v" : secret "a-credentials" not found',
            ("Secret", "shop", "a-credentials", ""),
        ),
        (
            'MountVolume.SetUp failed for volume "v" : secrets "a-credentials" not found',
            ("Secret", "shop", "a-credentials", ""),
        ),
        ('secret "s" not found', ("Secret", "shop", "s", "")),
        ('configmap "c" not found', ("ConfigMap", "shop", "c", "")),
        ("couldn't find key url in Secret shop/db", ("Secret", "shop", "db", "url")),
        (
            'MountVolume.SetUp failed for volume "v" : references non-existent secret key: tls.crt',
            ("Secret", "shop", "", "tls.crt"),
        ),
        ("MountVolume.SetUp failed: timed out", None),
    ],
)
def test_missing_configuration(message: str, expected: tuple[str, ...] | None) -> None:
    found = missing_config(message, "shop")
    assert (tuple(found) if found else None) == expected


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            'MountVolume.SetUp failed for volume "d" : mount failed: exit status 32\n'
            "Mounting command: mount\nMounting arguments: -t nfs nas:/d /var/lib/kubelet/d\n"
            "Output: mount.nfs: access denied by server while mounting nas:/d",
            'MountVolume.SetUp failed for volume "d" : mount failed: exit status 32: '
            "mount.nfs: access denied by server while mounting nas:/d",
        ),
        (
            "rpc error: code = Internal desc = Retriable: false, RetryAfter: 0s, "
            'HTTPStatusCode: 409, RawError: {"error": {"code": "Denied", "message": "over quota"}}',
            "over quota",
        ),
        ('googleapi: Error 403: {"a": 1} is wrong', 'googleapi: Error 403: {"a": 1} is wrong'),
        (
            'to become ready: order is in "invalid" state: ',
            'to become ready: order is in "invalid" state',
        ),
    ],
)
def test_a_message_is_quoted_by_its_sentence(message: str, said: str) -> None:
    assert quoted(message) == said


@pytest.mark.parametrize(
    ("resource", "silent"),
    [
        ("pods.metrics.k8s.io", False),
        ("s0-aws-sqs-resize.external.metrics.k8s.io", False),
        ("packagemanifests.packages.operators.coreos.com", False),
        ("deployments.apps", True),
        ("nodes", True),
        ("leases.coordination.k8s.io", True),
    ],
)
def test_the_server_of_an_extension_is_not_the_api_server(resource: str, silent: bool) -> None:
    said = f"the server is currently unable to handle the request (get {resource})"
    assert api_error(said) is silent


def test_the_server_of_metrics_is_not_the_api_server() -> None:
    said = "the server is currently unable to handle the request"
    assert not api_error(f"unable to fetch metrics from external metrics API: {said}")
    assert api_error(said)
