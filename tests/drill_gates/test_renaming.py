"""No drill is recognised by a name: under other names every runbook keeps its place and its
score."""

from __future__ import annotations

import json
import re
from random import Random

import pytest

from drills.scenario.renaming import Renamer, mapping, shuffle
from tests.drill_gates.expected import DRILLS
from tests.drill_gates.ground import Raw, judge, rows, stated

_KEPT_BY_SHUFFLE = {
    "nginx": "edge",
    "ingress-nginx-controller": "front",
    "external-secrets": "vault-sync",
    "cert-manager": "tls-issuer",
}
"""What blind drills leave as it is because every reader knows it. Detectors have to do without."""


@pytest.mark.parametrize(
    ("name", "seed"), [(name, 1000 + number) for number, name in enumerate(DRILLS)]
)
def test_the_ranking_stays_under_other_names(name: str, seed: int) -> None:
    """Namespaces, workloads, nodes; then those of add-ons and the paths of images too, at
    random."""
    names = mapping(rows(name), seed)
    assert len([old for old, new in names.items() if old != new]) >= 10
    renamed = shuffle(list(rows(name)), seed)
    assert not _names_of(renamed) & set(names), "a name survived"
    assert judge(renamed).ranked == stated(name).ranked
    anonymous = judge(_anonymous(renamed))
    assert anonymous.confident == stated(name).confident
    assert anonymous.first_three[:1] == stated(name).first_three[:1]


@pytest.mark.parametrize("seed", range(4))
def test_no_choice_of_names_matters(seed: int) -> None:
    for name in ("network-policy-cni-version-skew", "secret-not-found-blocks-deployments"):
        assert judge(shuffle(list(rows(name)), seed)).ranked == stated(name).ranked


def _names_of(found: list[Raw]) -> set[str]:
    return {
        str(raw["metadata"][field])
        for raw in found
        for field in ("name", "namespace")
        if raw["metadata"].get(field)
    }


def _anonymous(found: list[Raw]) -> list[Raw]:
    random, renamer = Random(5), Renamer(_KEPT_BY_SHUFFLE)
    images: dict[str, str] = {}

    def image(match: re.Match[str]) -> str:
        path = match[2]
        if "kube" in path or "coredns" in path or "etcd" in path or "controller" in path:
            return match[0]  # what the component is can be read from its image alone, and should be
        images.setdefault(path, f"mirror.example:5000/{random.getrandbits(48):x}")
        return f'"{match[1]}": "{images[path]}'

    text = re.sub(
        r'"(image|imageID)": "([^":@]+(?::\d+/[^":@]+)?)',
        image,
        json.dumps([renamer.data(raw) for raw in found]),
    )
    anonymous: list[Raw] = json.loads(text)
    return anonymous
