"""Turns sources into vantages, for every probe that measures from pods: the method, the rights, and
the server's answer to each dry run. Creates nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from probes.context import ProbeContext
from probes.pods.preflight import (
    CONTAINER_RIGHTS,
    EXEC_RIGHTS,
    POD_RIGHTS,
    ask_rights,
    dry_run,
    refused,
)
from probes.pods.probe_pod import Identity
from probes.pods.vantage import HOW, NONE, POD, PROVES, WITHOUT_WRITE, Vantage, build
from probes.result import PlannedObject, Right
from probes.select.names import Unusable
from probes.select.sources import Source

DEADLINE_S = 600
"""Seconds after which everything that was created ends by itself."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """The vantages with their methods, and what the plan says of them."""

    vantages: tuple[Vantage, ...]
    creates: tuple[PlannedObject, ...]
    rights: tuple[Right, ...]
    identity: Identity

    @property
    def usable(self) -> tuple[Vantage, ...]:
        return tuple(vantage for vantage in self.vantages if vantage.method != NONE)

    @property
    def selected_by(self) -> tuple[str, ...]:
        """Services, budgets and policies that select the new pods."""
        return tuple(
            sorted(
                {
                    line
                    for vantage in self.usable
                    if vantage.method == POD
                    for line in vantage.guard.selected_by
                }
            )
        )

    @property
    def method(self) -> str:
        return "; ".join(
            PROVES[method] for method in sorted({vantage.method for vantage in self.usable})
        )

    @property
    def warnings(self) -> list[str]:
        return [*(word for vantage in self.vantages for word in vantage.warnings), *self._reasons]

    @property
    def refused(self) -> str:
        """One sentence when no vantage can measure, else ""."""
        return (
            ""
            if self.usable
            else "Nothing can measure this: " + "; ".join(dict.fromkeys(self._reasons))
        )

    @property
    def _reasons(self) -> list[str]:
        return [vantage.reason for vantage in self.vantages if vantage.reason]


def check_method(context: ProbeContext, how: str, others: Sequence[str] = ()) -> None:
    """Raises `Unusable` for a method that does not exist or needs --write; `others`: methods
    without a pod, for the message."""
    if how not in HOW:
        raise Unusable(
            f"There is no way {how!r} to measure; there are "
            f"{', '.join((*filter(None, HOW), *others))}."
        )
    if how == "ephemeral" and not context.may_stay:
        raise Unusable(WITHOUT_WRITE)


async def prepare(
    context: ProbeContext, sources: Sequence[Source], *, image: str = "", how: str = ""
) -> Prepared:
    """Asks for rights and chooses methods. Does not raise for a failing cluster: a source that
    cannot measure becomes a vantage with method `NONE` and a reason."""
    identity = Identity(
        context.session,
        context.operator,
        context.incident,
        context.clock() + timedelta(seconds=DEADLINE_S),
    )
    rights = await ask_rights(
        context, sorted({source.namespace for source in sources}), container=how == "ephemeral"
    )
    vantages = []
    for source in sources:
        vantages.append(
            build(
                context,
                source,
                identity,
                image=image,
                deadline_s=DEADLINE_S,
                how=how,
                no_pods=refused(rights, source.namespace, POD_RIGHTS),
                may_execute=not refused(rights, source.namespace, EXEC_RIGHTS),
                may_patch=not refused(rights, source.namespace, CONTAINER_RIGHTS),
            )
        )
    vantages, creates = await dry_run(context, vantages)
    return Prepared(tuple(vantages), creates, rights, identity)
