"""A member of a family of everyday faults, as objects of a small cluster."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import msgspec

from runbooks.match import Match
from tests.triage.build import Cluster
from tests.triage.situation import MATCHER, look
from triage.facts.finding import Symptom

Build = Callable[[Cluster], None]


class Member(msgspec.Struct, frozen=True):
    """`says`: words of the first line, all of them. `guide`: the runbook that comes first.
    `on_server`: the words on a real API server, where it writes another message itself."""

    family: str
    name: str
    build: Build
    says: tuple[str, ...]
    guide: str = ""
    on_server: tuple[str, ...] = ()


DECLARED: list[Member] = []
"""The members whose builder serves no other; the rest are rows of `table.yaml`."""


def member(family: str, name: str, *says: str, guide: str = "") -> Callable[[Build], Build]:
    def add(build: Build) -> Build:
        DECLARED.append(Member(family, name, build, says, guide))
        return build

    return add


@cache
def seen(one: Member) -> tuple[tuple[Symptom, tuple[Match, ...]], ...]:
    """The symptoms of a member beside a healthy Deployment, each with its runbooks."""
    cluster = Cluster(3)
    cluster.deployment("calm", "other", replicas=3)
    one.build(cluster)
    report = look(cluster)
    return tuple((each, tuple(MATCHER.match_symptom(each, report))) for each in report.symptoms)


def lines(one: Member) -> tuple[str, str]:
    """The title of the first symptom and the id of its first runbook, "" for none."""
    symptom, matches = next(iter(seen(one)), (None, ()))
    return symptom.title if symptom else "", matches[0].id if matches else ""
