"""Pulls that several owners cannot do: the node or the registry that they share is named."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.triage.build import Cluster, ago, meta
from tests.triage.situation import MATCHER, background, first, found, look
from triage.facts.finding import Severity

TIMEOUT = 'failed to pull and unpack image "{}": failed to do request: Head: i/o timeout'
LIMITED = "429 Too Many Requests - toomanyrequests: You have reached your pull rate limit: {}"
ABSENT = 'failed to resolve reference "{}": not found'


def pulls(cluster: Cluster, nodes: list[dict[str, Any]], said: str = TIMEOUT) -> None:
    """One pod for each owner, that cannot pull its image."""
    for name, node in zip(("cart", "feed", "mail"), nodes, strict=True):
        image = f"registry.example:5000/{name}:7"
        work = cluster.deployment(name, "shop", replicas=1, image=image, created=ago(minutes=30))
        pod = work["pods"][0]
        pod["spec"]["nodeName"] = node["metadata"]["name"]
        cluster.waiting(pod, "ImagePullBackOff", f'Back-off pulling image "{image}"')
        text = f'Failed to pull image "{image}": {said.format(image)}'
        cluster.pod_event(pod, "Failed", text, ago(minutes=2), ago(minutes=28))


def titles(cluster: Cluster) -> list[str]:
    return [s.title for s in look(cluster).symptoms if s.severity is not Severity.INFO]


def test_pulls_that_fail_on_one_node_alone_name_it_and_what_differs() -> None:
    cluster = background()
    node = cluster.nodes[3]
    node["status"]["nodeInfo"]["containerRuntimeVersion"] = "containerd://2.0.0"
    pulls(cluster, [node] * 3)
    [title] = titles(cluster)
    assert title == (
        "n4: 3 pods of cart, feed and 1 more cannot pull their images on it (timeout: the registry "
        "does not answer in time), and none fails to on another node (it alone has container "
        "runtime containerd://2.0.0)"
    )


@pytest.mark.parametrize("said", [TIMEOUT, ABSENT])
def test_pulls_on_several_nodes_name_the_registry(said: str) -> None:
    cluster = background()
    pulls(cluster, cluster.nodes[:3], said)
    assert not [f for f in look(cluster).findings if f.rule == "pulls-failing-on-node"]
    if said is TIMEOUT:
        [title] = titles(cluster)
        assert "cart, feed and 1 more cannot pull their images from registry.example:5000" in title


@pytest.mark.parametrize("age", [None, ago(minutes=40)], ids=["old node", "new node"])
def test_a_registry_that_limits_pulls_is_the_mechanism_on_one_node_too(
    age: datetime | None,
) -> None:
    """A limit counts addresses, so one busy node meets it first."""
    cluster = background()
    node = cluster.node("n10", created=age)
    pulls(cluster, [node] * 3, LIMITED)
    report = look(cluster)
    [symptom] = [s for s in report.symptoms if s.severity is not Severity.INFO]
    assert symptom.title.endswith(
        "cannot pull their images from registry.example:5000 (rate-limited by the registry)"
    )
    matches = MATCHER.match_symptom(symptom, report)
    assert [one.id for one in matches if one.confident] == ["image-pull-refused"]
    assert any((s.what, s.value) == ("node", "n10") for s in symptom.shared)


def test_images_that_do_not_exist_are_no_fault_of_the_node() -> None:
    cluster = background()
    pulls(cluster, [cluster.nodes[3]] * 3, ABSENT)
    assert not [f for f in look(cluster).findings if f.rule == "pulls-failing-on-node"]


REFUSED = 'failed to resolve reference "{}": failed to authorize: 401 Unauthorized'


@pytest.mark.parametrize(
    ("said", "there", "named"),
    [
        (REFUSED, False, True),
        (ABSENT, False, True),
        (REFUSED, True, False),
        (TIMEOUT, False, False),
    ],
    ids=["refused", "hidden", "made since", "registry away"],
)
def test_a_pull_secret_that_is_not_there_is_named(said: str, there: bool, named: bool) -> None:
    cluster = background()
    pulls(cluster, cluster.nodes[:3], said)
    for kind, raw in list(cluster.raw):
        if kind == "Pod" and raw["metadata"]["name"].startswith(("cart-", "feed-", "mail-")):
            text = "Unable to retrieve some image pull secrets (regcred); attempting to pull the "
            about = (raw, "FailedToRetrieveImagePullSecret", text + "image may not succeed.")
            cluster.pod_event(*about, ago(minutes=2), ago(minutes=28))
    if there:
        cluster.add("Secret", {"metadata": meta("regcred", "shop")})
    assert named is any("pull secret regcred cannot be read" in t for t in titles(cluster))


@pytest.mark.parametrize(
    ("minutes", "then", "told", "young"),
    [
        (2, "", False, False),
        (6, "", True, True),
        (20, "", True, False),
        (20, "Pulled", False, False),
    ],
)
def test_a_pull_that_goes_on_is_named(minutes: int, then: str, told: bool, young: bool) -> None:
    cluster = background()
    raw = cluster.deployment("huge", "shop", replicas=1, created=ago(minutes=minutes))
    pod = raw["pods"][0]
    cluster.waiting(pod, "ContainerCreating")
    cluster.pod_event(
        pod, "Pulling", 'Pulling image "r.io/huge:1"', ago(minutes=minutes), type_="Normal"
    )
    if then:
        cluster.pod_event(pod, then, "Successfully pulled image", ago(minutes=1), type_="Normal")
    named = [f for f in found(cluster, "pod-not-starting") if f.facts["pulls"]]
    assert [(f.facts["pulls"], f.young) for f in named] == [("r.io/huge:1", young)] * told
    if told:
        assert "image r.io/huge:1 is still being pulled" in first(cluster)
