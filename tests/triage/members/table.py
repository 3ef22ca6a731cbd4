"""Every member of every family of everyday faults: those that modules of this folder declare, then
the rows of `table.yaml`, which name a builder and what it is called with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from tests.triage.build import Cluster
from tests.triage.members.admission import quota, refused
from tests.triage.members.apis import aggregated
from tests.triage.members.certificates import certified
from tests.triage.members.deletions import deleting, ending, held
from tests.triage.members.jobs import cronjob, job
from tests.triage.members.kubelet import ended, probed
from tests.triage.members.member import DECLARED, Member
from tests.triage.members.nodes import away, shut_out, static, unready
from tests.triage.members.routes import gatewayed, routed
from tests.triage.members.scheduling import asks, unplaced
from tests.triage.members.services import balanced, calls, served
from tests.triage.members.start import unpulled, waits
from tests.triage.members.volumes import misfit, unbound, unmounted
from tests.triage.members.workloads import scaler

_BUILDERS: Mapping[str, Callable[..., Any]] = {
    build.__name__: build
    for build in (
        aggregated,
        asks,
        away,
        balanced,
        calls,
        certified,
        cronjob,
        deleting,
        ended,
        ending,
        gatewayed,
        held,
        job,
        misfit,
        probed,
        quota,
        refused,
        routed,
        scaler,
        served,
        shut_out,
        static,
        unbound,
        unmounted,
        unplaced,
        unpulled,
        unready,
        waits,
    )
}


def _read() -> Iterator[Member]:
    text = Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")
    for row in yaml.safe_load(text):
        build = partial(_build, row["build"], row.get("args", ()), row.get("with", {}))
        says = tuple(row["says"])
        there = tuple(row.get("on_server", ()))
        yield Member(row["family"], row["name"], build, says, row.get("guide", ""), there)


def _build(
    name: str, arguments: Sequence[Any], fields: Mapping[str, Any], cluster: Cluster
) -> None:
    _BUILDERS[name](cluster, *arguments, **fields)


MEMBERS = (*DECLARED, *_read())


def named(family: str, name: str) -> Member:
    return next(one for one in MEMBERS if (one.family, one.name) == (family, name))
