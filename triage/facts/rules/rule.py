"""A rule: one signal, what it says, and the facts that its findings carry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import msgspec

POD_FACTS: Mapping[str, str] = MappingProxyType(
    {
        "namespace": "str",
        "node": "str: node name, empty before scheduling",
        "owner": "str: name of the top controller (Deployment, CronJob, …), empty for bare pods",
        "owner_kind": (
            "str: Deployment, DaemonSet, StatefulSet, Job, CronJob, Node (static pod) or empty"
        ),
        "role": (
            "str: dns, ingress, cni, proxy, storage, log-shipper, control-plane or empty; by "
            "structure (ports, mounts, Services), not by the object's name"
        ),
    }
)

NODE_FACTS: Mapping[str, str] = MappingProxyType(
    {
        "pool": "str: node pool or instance type, empty when unlabelled",
        "zone": "str",
        "kubelet": "str: kubelet version",
        "new_node": "bool: created less than an hour before the finding began",
        "control_plane": "bool: labelled as control plane",
    }
)
_COMMON = {"pod": frozenset(POD_FACTS), "node": frozenset(NODE_FACTS)}


class Rule(msgspec.Struct, frozen=True):
    """One signal. `source` says where the rule comes from (table of the reference, story,
    Kubernetes source)."""

    id: str
    area: str
    doc: str
    facts: Mapping[str, str] = msgspec.field(default_factory=lambda: MappingProxyType({}))
    source: str = ""

    @property
    def fact_names(self) -> frozenset[str]:
        """The facts of this rule together with the common ones of its area."""
        return _COMMON.get(self.area, frozenset()) | frozenset(self.facts)


def table(text: str) -> tuple[Rule, ...]:
    """The rules of one room. Each begins with `id (area): what it says`; indented lines follow:
    `source: …` and one `fact: type: meaning` for each fact. A deeper line continues the one before.
    """
    return tuple(_rules(text))


def _rules(text: str) -> Iterator[Rule]:
    entry: list[str] = []
    for line in [*text.strip("\n").splitlines(), ""]:
        if not line.startswith(" ") and entry:
            head, *rest = entry
            named, _, doc = head.partition("): ")
            id_, _, area = named.partition(" (")
            facts = dict(part.split(": ", 1) for part in rest)
            source = facts.pop("source", "")
            yield Rule(id_, area, doc, MappingProxyType(facts), source)
            entry = []
        if line.startswith(_DEEPER):
            entry[-1] += f" {line.strip()}"
        else:
            entry.append(line.strip())


_DEEPER = " " * 8
