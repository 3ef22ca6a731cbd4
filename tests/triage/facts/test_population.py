"""The counters over all pods hold what counting each pod gives, whatever came and went."""

from __future__ import annotations

import random
from collections import Counter

from cluster.kube.objects import Pod, Ref
from cluster.live.store import StoreUpdate
from tests.triage.build import meta, row
from triage.facts.population import Population, attributes

OWNERS = [("ReplicaSet", {"metadata": {"name": name, "uid": name}}) for name in ("a", "b", "c")]


def pods() -> list[Pod]:
    """Pods of three controllers, of which one mounts a claim."""
    made = []
    for number in range(30):
        owner = OWNERS[number // 10]
        claim = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
        spec = {"nodeName": f"n{number % 4}", "volumes": claim if owner is OWNERS[1] else []}
        raw = {"metadata": meta(f"p{number}", "n", owner=owner), "spec": spec}
        made.append(row("Pod", raw))
    return [pod for pod in made if isinstance(pod, Pod)]


def apply(population: Population, old: Pod | None, new: Pod | None) -> None:
    one = new or old
    assert one is not None
    key = (one.metadata.namespace, one.metadata.name)
    population.apply(StoreUpdate("Pod", key, old, new))


def test_counts_are_those_of_the_pods_that_are_left() -> None:
    chance, population, left = random.Random(3), Population(), set[int]()
    made = pods()
    for step in range(300):
        number = chance.randrange(len(made)) if step > len(made) else step % len(made)
        pod = made[number]
        apply(population, *((pod, None) if number in left else (None, pod)))
        left ^= {number}
        if step % 7 == 0:
            usual = Counter(each for number in left for each in attributes(made[number]))
            assert population.counts == usual
            assert population.claims == {each for each in usual if each[0] == "claim"}
    assert population.total == len(left)


def test_an_owner_is_missing_until_it_comes_and_again_when_it_goes() -> None:
    population, pod = Population(), pods()[0]
    owner = row("ReplicaSet", OWNERS[0][1])
    known = {"a": Ref("ReplicaSet", "n", "a")}
    apply(population, None, pod)
    assert population.missing_owners == known
    population.apply(StoreUpdate("ReplicaSet", ("n", "a"), None, owner))
    assert population.missing_owners == {}
    population.apply(StoreUpdate("ReplicaSet", ("n", "a"), owner, None))
    assert population.missing_owners == known
    apply(population, pod, None)
    assert population.missing_owners == {}


def test_a_pod_that_owns_pods_may_end() -> None:
    """Drivers of Spark jobs own their executors."""
    raw = {"metadata": meta("e", "n", owner=("Pod", OWNERS[0][1]))}
    executor, population = row("Pod", raw), Population()
    assert isinstance(executor, Pod)
    apply(population, None, executor)
    assert population.missing_owners == {}
