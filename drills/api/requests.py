"""From a URL to what is meant: kind, namespace, name, subresource, verb."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

from drills.api.kinds import Kind, KindTable

_NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})


@dataclass(frozen=True, slots=True)
class Target:
    """A request for a resource. `rest` is what follows a proxy subresource."""

    kind: Kind
    namespace: str
    name: str
    subresource: str
    rest: str

    @property
    def resource(self) -> str:
        """`pods` or `pods/log`, as RBAC names it."""
        return f"{self.kind.plural}/{self.subresource}" if self.subresource else self.kind.plural


def parse_target(kinds: KindTable, raw_path: str) -> Target | None:
    """None when the path is not a resource of a known kind."""
    parts = [unquote(p) for p in raw_path.split("?", 1)[0].strip("/").split("/")]
    if parts[:1] == ["api"] and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[:1] == ["apis"] and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = ""
    if (
        rest[0] == "namespaces"
        and len(rest) > 2
        and not (len(rest) == 3 and rest[2] in _NAMESPACE_SUBRESOURCES)
    ):
        namespace, rest = rest[1], rest[2:]
    kind = kinds.by_url(group, version, rest[0])
    if kind is None or (namespace and not kind.namespaced):
        return None
    tail = "/".join(rest[3:])
    if raw_path.split("?", 1)[0].endswith("/") and tail:
        tail += "/"
    return Target(
        kind, namespace, rest[1] if len(rest) > 1 else "", rest[2] if len(rest) > 2 else "", tail
    )


@dataclass(frozen=True, slots=True)
class Query:
    """Query parameters; the last value of a name wins, `every` gives all."""

    values: dict[str, list[str]]

    @classmethod
    def parse(cls, text: str) -> Query:
        return cls(parse_qs(text, keep_blank_values=True))

    def get(self, name: str, default: str = "") -> str:
        found = self.values.get(name)
        return found[-1] if found else default

    def every(self, name: str) -> list[str]:
        return self.values.get(name, [])

    def flag(self, name: str) -> bool:
        return self.get(name).lower() in {"1", "true"}

    def number(self, name: str) -> int | None:
        raw = self.get(name)
        return int(raw) if raw.lstrip("-").isdigit() else None

    @property
    def dry_run(self) -> bool:
        return "All" in self.every("dryRun")


def verb_of(method: str, target: Target, query: Query) -> str:
    """The RBAC verb of a request."""
    if method in {"GET", "HEAD"}:
        if target.name and not target.subresource:
            return "watch" if query.flag("watch") else "get"
        if target.subresource:
            return "get"
        return "watch" if query.flag("watch") else "list"
    if method == "DELETE":
        return "delete" if target.name else "deletecollection"
    return {"POST": "create", "PUT": "update", "PATCH": "patch"}.get(method, method.lower())


@dataclass(frozen=True, slots=True)
class View:
    """The form that the client asked for: `object`, `table` or `metadata`."""

    form: str
    include: str = "Metadata"


_AS = re.compile(r";\s*as=(\w+)")


def negotiate(accept: str, query: Query) -> View:
    """The first alternative of the Accept header that this server can write."""
    for choice in accept.split(","):
        kind = choice.split(";")[0].strip()
        found = _AS.search(choice)
        if kind in {"application/json", "*/*", "application/*", ""}:
            if found and found.group(1) == "Table":
                return View("table", query.get("includeObject", "Metadata"))
            if found and found.group(1) in {"PartialObjectMetadata", "PartialObjectMetadataList"}:
                return View("metadata")
            if not found:
                return View("object")
    return View("object")


def manager_of(query: Query, user_agent: str) -> str:
    """The field manager of a write: the parameter, else the part of the User-Agent before the
    slash."""
    return query.get("fieldManager") or user_agent.split("/", 1)[0][:128] or "unknown"
