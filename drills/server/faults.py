"""Failures on demand: which requests are slow, refused, broken off or never answered.

Set from a scenario, over HTTP (`/_drill/faults`) or in-process. Rules are tried in order; the first
that matches acts.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Action = Literal["slow", "forbidden", "unauthorized", "too-many", "error", "silent", "cut"]
ACTIONS: tuple[Action, ...] = (
    "slow",
    "forbidden",
    "unauthorized",
    "too-many",
    "error",
    "silent",
    "cut",
)


@dataclass(slots=True)
class Rule:
    """One fault. Empty fields match everything.

    resource: plural (`pods`, `pods/log`); verbs: get, list, watch, create, update, patch, delete;
    path: prefix of the URL. seconds: delay (slow) or Retry-After (too-many); code: HTTP status
    (error); after_bytes: how much is sent before the connection closes (cut); times: how often it
    acts (None: always); skip: how many requests pass first."""

    action: Action
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
    id: int = field(default=0)

    def matches(self, *, resource: str, namespace: str, verb: str, path: str) -> bool:
        if self.resource and self.resource not in {
            resource,
            resource.split("/")[0] if "/" not in self.resource else "",
        }:
            return False
        if self.namespace and self.namespace != namespace:
            return False
        if self.verbs and verb not in self.verbs:
            return False
        return not self.path or path.startswith(self.path)


class Faults:
    """The rules in force. `frozen` is set while everything is silent, open watches included."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._ids = itertools.count(1)
        self._frozen = False
        self.cut_generation = 0

    def add(self, rule: Rule) -> int:
        """Returns the id of the rule."""
        rule.id = next(self._ids)
        self._rules.append(rule)
        return rule.id

    def add_mapping(self, data: Mapping[str, Any]) -> int:
        """From YAML or JSON. Raises ValueError for an unknown action or field."""
        if data.get("action") not in ACTIONS:
            raise ValueError(
                f"fault action {data.get('action')!r} is not one of {', '.join(ACTIONS)}"
            )
        try:
            return self.add(Rule(**{**data, "verbs": tuple(data.get("verbs", ()))}))
        except TypeError as error:
            raise ValueError(f"fault rule {dict(data)}: {error}") from error

    def remove(self, rule_id: int) -> None:
        self._rules = [r for r in self._rules if r.id != rule_id]

    def clear(self) -> None:
        """No faults from here on; requests that wait in silence stay unanswered until their client
        gives up."""
        self._rules.clear()
        self._frozen = False

    def rows(self) -> list[dict[str, Any]]:
        return [asdict(r) for r in self._rules]

    def slow(self, seconds: float, resource: str = "") -> int:
        return self.add(Rule("slow", resource=resource, seconds=seconds))

    def forbid(self, resource: str, namespace: str = "", verbs: tuple[str, ...] = ()) -> int:
        return self.add(Rule("forbidden", resource=resource, namespace=namespace, verbs=verbs))

    def throttle(self, retry_after: float = 1, resource: str = "", times: int | None = None) -> int:
        return self.add(Rule("too-many", resource=resource, seconds=retry_after, times=times))

    def error(
        self, code: int = 500, resource: str = "", times: int | None = None, message: str = ""
    ) -> int:
        return self.add(Rule("error", resource=resource, code=code, times=times, message=message))

    async def thawed(self) -> None:
        """Returns when nothing is frozen; callers do not answer until then."""
        while self._frozen:  # noqa: ASYNC110  # set from any thread, so no asyncio.Event can be used
            await asyncio.sleep(0.05)

    def freeze(self) -> None:
        """Accept connections and never answer, as a stopped process does; open watches go quiet
        too."""
        self._frozen = True

    def thaw(self) -> None:
        self._frozen = False

    @property
    def frozen(self) -> bool:
        return self._frozen

    def cut_streams(self) -> None:
        """Every open watch and log stream closes without a word."""
        self.cut_generation += 1

    def pick(self, *, resource: str, namespace: str, verb: str, path: str) -> Rule | None:
        """The rule that acts on this request, its counters updated."""
        for rule in self._rules:
            if not rule.matches(resource=resource, namespace=namespace, verb=verb, path=path):
                continue
            if rule.skip > 0:
                rule.skip -= 1
                continue
            if rule.times is not None:
                if rule.times <= 0:
                    continue
                rule.times -= 1
            return rule
        return None
