"""What failing objects share, in words that fit pods and nodes."""

from __future__ import annotations

from text.symptoms.shared import shared_sentences
from triage.facts.finding import Severity, SharedAttribute, Symptom


def said(*shared: SharedAttribute) -> list[str]:
    return list(shared_sentences(Symptom("s", "", Severity.WARNING, None, (), (), shared)))


def test_a_node_runs_pods_of_an_owner_and_does_not_belong_to_it() -> None:
    values = [f"Deployment shop/{name}" for name in ("cart", "web", "api")]
    owners = [
        SharedAttribute(
            "owner",
            value,
            (3, 3),
            (0, 9),
            0.001,
            tuple(f"owner {other}" for other in values if other != value),
            of_nodes=True,
        )
        for value in values
    ]
    assert said(*owners) == [
        "failing: 3 of 3 run pods of Deployment shop/cart; others: 0 of 9 (they also share 2 more "
        "workloads)"
    ]


def test_an_image_and_its_digest_are_one_thing() -> None:
    digest = SharedAttribute("image digest", "sha256:1", (3, 3), (0, 9), 0.001, ("image web:1",))
    assert said(digest) == ["failing: 3 of 3 run the image sha256:1; others: 0 of 9"]
    ties = ("image digest sha256:1", "image web:1", "service account web")
    (node,) = said(SharedAttribute("node", "node-2", (3, 3), (0, 9), 0.001, ties))
    assert node.endswith("(they also share image, service account)")


def test_pods_belong_to_their_owner() -> None:
    owner = SharedAttribute("owner", "Deployment shop/cart", (3, 3), (0, 9), 0.001)
    assert said(owner) == ["failing: 3 of 3 belong to Deployment shop/cart; others: 0 of 9"]
