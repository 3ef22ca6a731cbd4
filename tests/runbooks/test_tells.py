"""What a text must tell for words alone to be sure of a page: each page's own title does, and no
title tells the fault of a page that is no sibling."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbooks.lint import lint
from runbooks.loader import OWN, Library
from runbooks.terms import fold, vocabulary, without_healthy
from tests import shipped

LIBRARY, MATCHER = shipped.library(), shipped.matcher()
PAGES = {one.id: one for one in LIBRARY.runbooks}


SIBLINGS: dict[str, tuple[str, ...]] = {
    "api-server-sheds-load": ("etcd-connectivity-api-latency",),
    "anti-affinity-or-spread-unmet": (
        "node-selector-unmet",
        "replicas-packed-on-one-node",
    ),
    "certificate-not-issued": ("certificate-expired",),
    "config-missing": (
        "crash-configuration",
        "secret-not-found-blocks-deployments",
    ),
    "container-runtime-crash-memory-leak": ("nodes-notready-system-oom",),
    "coredns-oom": ("memory-limit-reached",),
    "cpu-throttling-below-limit": ("cpu-limit-reached",),
    "ephemeral-storage-limit": ("node-pressure-evictions",),
    "etcd-connectivity-api-latency": ("slow-dependency",),
    "ingress-controller-oom": (
        "memory-limit-reached",
        "slow-dependency",
    ),
    "ingress-routes-lost-api-server-down": ("etcd-connectivity-api-latency",),
    "ingress-tls-missing": ("config-missing",),
    "kubelet-memory-leak": (
        "container-runtime-crash-memory-leak",
        "memory-limit-reached",
    ),
    "network-policy-cni-version-skew": ("crash-dependency-unreachable",),
    "nodes-notready-system-oom": (
        "memory-limit-reached",
        "node-not-ready",
    ),
    "secret-not-found-blocks-deployments": ("config-missing",),
}
"""Pages by the title that tells theirs too: the general page of the same fault, or another part of
the same chain."""


@pytest.mark.parametrize("page", sorted(PAGES))
def test_the_title_of_a_page_tells_its_fault_and_that_of_siblings_alone(page: str) -> None:
    title = PAGES[page].title
    told = {other for other in PAGES if MATCHER.index.tells(other, title)}
    assert told == {page, *SIBLINGS.get(page, ())}


PARTS: dict[str, list[str]] = {
    "cni-not-ready-on-new-node": ["502 from pods on new nodes for the first minutes"],
    "container-runtime-crash-memory-leak": [
        "all containers on one node restarted at the same time",
        "pods pile up on the remaining node after a node crash",
        "Pod sandbox changed, it will be killed and re-created, for all pods of a node",
        "ContainerRuntimeUnhealthy FrequentDockerRestart FrequentContainerdRestart",
    ],
    "container-runtime-hung": [
        "pods stuck in Terminating on one node",
        "pods stuck in ContainerCreating on one node",
    ],
    "coredns-oom": [
        "total DNS outage in the cluster",
        "DNS outage, all services cannot resolve names",
        "lookup i/o timeout on 10.96.0.10:53 for many services",
        "too many DNS queries, coredns cannot keep up",
        "Temporary failure in name resolution for all pods",
        "CoreDNSDown KubeDNSDown",
    ],
    "cpu-hot-node-kernel-panic": [
        "pods without CPU requests overload the node",
        "NodeCPUHighUsage HostHighCpuLoad NodeSystemSaturation",
    ],
    "cpu-throttling-below-limit": [
        "high latency because of CPU limits",
        "p99 latency spikes of 100ms with CPU limits",
    ],
    "cronjob-pod-flood": [
        "number of pods explodes",
        "KubeletTooManyPods",
        "exceeded quota pods 1500",
        "concurrencyPolicy Allow starts overlapping jobs",
    ],
    "cryptomining-exposed-dashboard": [
        "high CPU on all nodes, no workload explains it",
        "GuardDuty CryptoCurrency EC2 BitcoinTool finding",
    ],
    "errors-during-rollout": [
        "upstream prematurely closed connection while reading response header"
    ],
    "etcd-connectivity-api-latency": ["all nodes became NotReady at the same time and recovered"],
    "ingress-controller-oom": [
        "502 Bad Gateway from the load balancer for all hosts",
        "all services behind the ingress return 502",
    ],
    "ingress-routes-lost-api-server-down": [
        "api server is down",
        "The connection to the server was refused, did you specify the right host or port",
        "ingress returns 404 for all hosts",
        "KubeAPIDown",
    ],
    "kubelet-memory-leak": ["node memory not explained by pods"],
    "liveness-probe-kills": ["container restarts but its log shows no error"],
    "log-shipper-stalled-on-node": ["failed to flush chunk, retry in seconds"],
    "network-packet-loss": ["requests time out now and then although all pods are ready"],
    "network-policy-cni-version-skew": [
        "sporadic connection refused through nginx although pods are healthy"
    ],
    "node-disk-full-container-logs": [
        "no space left on device",
        "node disk full",
        "node has disk pressure, pods evicted",
        "The node was low on resource ephemeral-storage",
        "ImageGCFailed, failed to garbage collect required amount of images",
        "NodeFilesystemAlmostOutOfSpace NodeFilesystemSpaceFillingUp",
    ],
    "nodes-notready-system-oom": [
        "nodes NotReady one after another",
        "replaced nodes also go NotReady",
        "evicted, the node was low on resource memory",
        "KubeNodeNotReady",
    ],
    "secrets-emptied-by-controller": [
        "couldn't find key in Secret",
        "new pods fail with CreateContainerConfigError while old pods keep running",
    ],
    "stateful-operator-data-loss": ["operator restarted all masters at once"],
    "volume-attach-stuck": ["KubePersistentVolumeErrors"],
}
"""Symptoms of a page that tell a part of its fault: they list it, and are not sure of it."""


@pytest.mark.parametrize("page", sorted(PAGES))
def test_the_symptoms_that_tell_a_fault_whole_meet_its_groups(page: str) -> None:
    short = [one for one in PAGES[page].symptoms if not MATCHER.index.tells(page, one)]
    assert short == PARTS.get(page, [])


@pytest.mark.parametrize(
    "healthy",
    [
        "DiskPressure False KubeletHasNoDiskPressure kubelet has no disk pressure",
        "Ready True KubeletReady",
        "web-5d9c7 1/1 Running 0 3d",
        "restart count: 0",
    ],
)
def test_what_a_healthy_cluster_says_is_no_word_of_failure(healthy: str) -> None:
    said = without_healthy(fold(healthy))
    assert vocabulary().failure.search(said) is None
    assert not any(one.confident for one in MATCHER.match_words(healthy))


def test_a_page_of_ours_without_groups_and_an_empty_group_are_refused(tmp_path: Path) -> None:
    page = OWN[1] / "clock-skew.md"
    (tmp_path / page.name).write_text(page.read_text())
    words = tmp_path / "clock-skew.words.yaml"
    words.write_text("phrases: [clock skew of a node]\n")
    assert problems(tmp_path) == ["lacks tells: what a text must say for words alone to be sure"]
    words.write_text("tells: [clock, '']\n")
    assert any("an empty group" in one for one in problems(tmp_path))
    words.write_text("tells: [clock, '(skew)?']\n")
    assert any("an empty group" in one for one in problems(tmp_path))
    words.write_text("tells: [clock, skew]\nnarrows: [no-page]\n")
    assert any("no guide" in one for one in problems(tmp_path))
    words.write_text("tells: [clock, skew]\n")
    assert problems(tmp_path) == []


def problems(folder: Path) -> list[str]:
    found = lint(Library(own=[folder]))
    return [one.text for one in found if one.path.name.endswith(".words.yaml")]


def test_a_page_without_groups_is_told_by_any_text() -> None:
    assert MATCHER.index.tells("a-page-of-a-team", "anything")
