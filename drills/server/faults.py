"""Faults on demand: requests that are slow, refused, cut or never answered. Set from a scenario,
over HTTP (`/_drill/faults`) or in-process. The first rule that matches a request acts."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

FaultEffect = Literal["slow", "forbidden", "unauthorized", "too-many", "error", "silent", "cut"]
ACTIONS: tuple[str, ...] = get_args(FaultEffect)


@dataclass(slots=True)
class FaultRule:
    """One fault. Empty fields match everything.

    resource: plural (`pods`, `pods/log`; `pods` means its subresources too); verbs: get, list,
    watch, create, update, patch, delete; path: prefix of the URL. seconds: delay (slow) or
    Retry-After (too-many); code: HTTP status (error); after_bytes: how much is sent before the
    connection closes (cut); times: how often it acts (None: always); skip: how many requests pass
    first; lasting: dry runs pass."""

    action: FaultEffect
    resource: str = ""
    namespace: str = ""
    verbs: tuple[str, ...] = ()
    path: str = ""
    seconds: float = 0.0
    code: int = 500
    message: str = ""
    after_bytes: int = 200
    times: int | None = None
    skip: int = 0
    lasting: bool = False
    id: int = 0

    def matches(
        self, *, resource: str, namespace: str, verb: str, path: str, dry_run: bool = False
    ) -> bool:
        return (
            self.resource in {"", resource, resource.split("/")[0]}
            and self.namespace in {"", namespace}
            and (not self.verbs or verb in self.verbs)
            and path.startswith(self.path)
            and not (self.lasting and dry_run)
        )


class Faults:
    """The rules in force. `frozen` is set while everything is silent, open watches included."""

    def __init__(self) -> None:
        self._rules: list[FaultRule] = []
        self._ids = itertools.count(1)
        self.frozen = False

    def add(self, rule: FaultRule) -> int:
        """Returns the id of the rule."""
        rule.id = next(self._ids)
        self._rules.append(rule)
        return rule.id

    def add_mapping(self, data: Mapping[str, Any]) -> int:
        """From YAML or JSON. Raises ValueError for an unknown action or field."""
        action = data.get("action")
        if action not in ACTIONS:
            raise ValueError(f"fault action {action!r} is not one of {', '.join(ACTIONS)}")
        try:
            return self.add(FaultRule(**{**data, "verbs": tuple(data.get("verbs", ()))}))
        except TypeError as error:
            raise ValueError(f"fault rule {dict(data)}: {error}") from error

    def remove(self, rule_id: int) -> None:
        self._rules = [r for r in self._rules if r.id != rule_id]

    def clear(self) -> None:
        """Remove all faults. Requests without an answer stay so until their client gives up."""
        self._rules.clear()
        self.frozen = False

    def rows(self) -> list[dict[str, Any]]:
        return [asdict(r) for r in self._rules]

    def forbid(self, resource: str, namespace: str = "", verbs: tuple[str, ...] = ()) -> int:
        return self.add(FaultRule("forbidden", resource=resource, namespace=namespace, verbs=verbs))

    def throttle(self, retry_after: float = 1, resource: str = "", times: int | None = None) -> int:
        return self.add(FaultRule("too-many", resource=resource, seconds=retry_after, times=times))

    def error(
        self, code: int = 500, resource: str = "", times: int | None = None, message: str = ""
    ) -> int:
        return self.add(
            FaultRule("error", resource=resource, code=code, times=times, message=message)
        )

    def freeze(self) -> None:
        """Accept connections and never answer, as a stopped process does; open watches fall silent
        too."""
        self.frozen = True

    def thaw(self) -> None:
        self.frozen = False

    async def thawed(self) -> None:
        """Return once nothing is frozen; callers do not answer until then."""
        while self.frozen:  # noqa: ASYNC110  # set from any thread, so no asyncio.Event can be used
            await asyncio.sleep(0.05)

    def forbids(self, *, resource: str, namespace: str, verb: str) -> bool:
        """Whether a rule refuses such requests, for access reviews."""
        return any(
            rule.action == "forbidden"
            and rule.matches(resource=resource, namespace=namespace, verb=verb, path=rule.path)
            for rule in self._rules
        )

    def pick(
        self, *, resource: str, namespace: str, verb: str, path: str, dry_run: bool = False
    ) -> FaultRule | None:
        """The rule that acts on this request, with updated counters."""
        for rule in self._rules:
            if not rule.matches(
                resource=resource, namespace=namespace, verb=verb, path=path, dry_run=dry_run
            ):
                continue
            if rule.skip > 0:
                rule.skip -= 1
            elif rule.times is None:
                return rule
            elif rule.times > 0:
                rule.times -= 1
                return rule
        return None
