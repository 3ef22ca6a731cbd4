"""Parses a URL into kind, namespace, name, subresource and verb."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, unquote

from drills.api.kinds import ApiResource, KindTable


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """A request for a resource. `rest` is what follows a proxy subresource."""

    kind: ApiResource
    namespace: str
    name: str = ""
    subresource: str = ""
    rest: str = ""

    @property
    def resource(self) -> str:
        """`pods` or `pods/log`, as RBAC names it."""
        return f"{self.kind.plural}/{self.subresource}" if self.subresource else self.kind.plural

    @property
    def whole(self) -> RequestInfo:
        """The object itself, without the subresource."""
        return replace(self, subresource="", rest="")


def parse_target(kinds: KindTable, raw_path: str) -> RequestInfo | None:
    """None when the path is not a resource of a known kind."""
    path = raw_path.split("?", 1)[0]
    parts = [unquote(p) for p in path.strip("/").split("/")]
    if parts[:1] == ["api"] and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[:1] == ["apis"] and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = ""
    of_namespace = len(rest) == 3 and rest[2] in {"status", "finalize"}
    if rest[0] == "namespaces" and len(rest) > 2 and not of_namespace:
        namespace, rest = rest[1], rest[2:]
    kind = kinds.by_url(group, version, rest[0])
    if kind is None or (namespace and not kind.namespaced):
        return None
    tail = "/".join(rest[3:])
    if path.endswith("/") and tail:
        tail += "/"
    name, subresource = ([*rest[1:3], "", ""])[:2]
    return RequestInfo(kind, namespace, name, subresource, tail)


@dataclass(frozen=True, slots=True)
class QueryParameters:
    """Query parameters; the last value of a name wins, `every` gives all."""

    values: dict[str, list[str]]

    @classmethod
    def parse(cls, text: str) -> QueryParameters:
        return cls(parse_qs(text, keep_blank_values=True))

    def get(self, name: str) -> str:
        return self.values.get(name, [""])[-1]

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


def verb_of(method: str, target: RequestInfo, query: QueryParameters) -> str:
    """The RBAC verb of a request."""
    if method in {"GET", "HEAD"}:
        if target.subresource:
            return "get"
        return "watch" if query.flag("watch") else "get" if target.name else "list"
    if method == "DELETE":
        return "delete" if target.name else "deletecollection"
    return {"POST": "create", "PUT": "update", "PATCH": "patch"}.get(method, method.lower())


@dataclass(frozen=True, slots=True)
class Form:
    """The format that the client asked for: `object`, `table` or `metadata`. `include` is the
    includeObject parameter of a table."""

    name: str = "object"
    include: str = "Metadata"


_AS = re.compile(r";\s*as=(\w+)")


def negotiate(accept: str, query: QueryParameters) -> Form:
    """The first alternative of the Accept header that this server can write."""
    for choice in accept.split(","):
        if choice.split(";")[0].strip() not in {"application/json", "*/*", "application/*", ""}:
            continue
        found = _AS.search(choice)
        if found is None:
            return Form()
        if found.group(1) == "Table":
            return Form("table", query.get("includeObject") or "Metadata")
        if found.group(1) in {"PartialObjectMetadata", "PartialObjectMetadataList"}:
            return Form("metadata")
    return Form()


def manager_of(query: QueryParameters, user_agent: str) -> str:
    """The field manager of a write: the parameter, else the part of the User-Agent before the
    slash."""
    return query.get("fieldManager") or user_agent.split("/", 1)[0][:128] or "unknown"
