"""Label and field selectors, as the API server parses and applies them."""

from __future__ import annotations

import re
from collections.abc import Callable

from drills.api.objects import Obj, dig
from drills.api.problems import bad_request

Predicate = Callable[[Obj], bool]
Labels = dict[str, str]

_TERM = re.compile(
    r"\s*(?:(?P<absent>!)\s*(?P<akey>[\w./-]+)"
    r"|(?P<skey>[\w./-]+)\s+(?P<set>in|notin)\s*\((?P<values>[^)]*)\)"
    r"|(?P<key>[\w./-]+)\s*(?P<op>==|=|!=)\s*(?P<value>[\w./:-]*)"
    r"|(?P<gkey>[\w./-]+)\s*(?P<gop>[<>])\s*(?P<gvalue>\d+)"
    r"|(?P<present>[\w./-]+))\s*(?:,|$)"
)


def requirement(labels: Labels, key: str, operator: str, values: list[str]) -> bool:
    """One term of a selector: In, NotIn, Exists, DoesNotExist, Gt, Lt. An unknown operator matches
    nothing."""
    value = labels.get(key)
    match operator:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt":
            if value is None or not value.isdigit():
                return False
            bound = int(values[0])
            return int(value) > bound if operator == "Gt" else int(value) < bound
    return False


def parse_labels(text: str) -> Predicate:
    """Equality- and set-based label selector. Raises ApiProblem (400) when it cannot be parsed."""
    terms: list[tuple[str, str, list[str]]] = []
    text, at = text if text.strip() else "", 0
    while at < len(text):
        match = _TERM.match(text, at)
        if match is None or match.end() == at:
            raise bad_request(f"unable to parse requirement: found '{text[at:]}'")
        terms.append(_term(match))
        at = match.end()

    def apply(obj: Obj) -> bool:
        labels = obj.get("metadata", {}).get("labels") or {}
        return all(requirement(labels, *term) for term in terms)

    return apply


def _term(m: re.Match[str]) -> tuple[str, str, list[str]]:
    if m["absent"]:
        return m["akey"], "DoesNotExist", []
    if m["set"]:
        values = [v.strip() for v in m["values"].split(",")]
        return m["skey"], "In" if m["set"] == "in" else "NotIn", values
    if m["op"]:
        return m["key"], "NotIn" if m["op"] == "!=" else "In", [m["value"]]
    if m["gop"]:
        return m["gkey"], "Gt" if m["gop"] == ">" else "Lt", [m["gvalue"]]
    return m["present"], "Exists", []


def matches_selector(selector: Obj | None, labels: Labels) -> bool:
    """metav1.LabelSelector against labels; an absent selector matches nothing, an empty one
    everything."""
    if selector is None:
        return False
    wanted = selector.get("matchLabels") or {}
    return all(labels.get(k) == v for k, v in wanted.items()) and all(
        requirement(labels, term["key"], term["operator"], term.get("values") or [])
        for term in selector.get("matchExpressions") or []
    )


_FIELDS = {
    "pods": "spec.nodeName spec.restartPolicy spec.schedulerName spec.serviceAccountName "
    "spec.hostNetwork status.phase status.podIP status.nominatedNodeName",
    "events": "involvedObject.kind involvedObject.namespace involvedObject.name "
    "involvedObject.uid involvedObject.apiVersion involvedObject.resourceVersion "
    "involvedObject.fieldPath reason reportingComponent source type regarding.kind "
    "regarding.namespace regarding.name regarding.uid",
    "nodes": "spec.unschedulable",
    "namespaces": "status.phase",
    "secrets": "type",
    "jobs": "status.successful",
    "replicasets": "status.replicas",
    "services": "spec.clusterIP spec.type",
}
"""Fields that a field selector may name, beside name and namespace."""


def _field_value(obj: Obj, field: str) -> str:
    if field == "source":
        return str(dig(obj, "source", "component") or obj.get("reportingComponent") or "")
    if field.startswith("regarding."):
        field = "involvedObject." + field.removeprefix("regarding.")
    value = dig(obj, *field.split("."), default="")
    return str(value).lower() if isinstance(value, bool) else str(value)


def parse_fields(text: str, plural: str) -> Predicate:
    """Field selector for one resource. Raises ApiProblem (400) for a field that the resource does
    not index."""
    tests: list[tuple[str, str, bool]] = []
    allowed = {"metadata.name", "metadata.namespace", *_FIELDS.get(plural, "").split()}
    for term in text.split(",") if text.strip() else ():
        match = re.fullmatch(r"\s*([\w.]+)\s*(==|=|!=)\s*(.*?)\s*", term)
        if match is None:
            raise bad_request(f"invalid field selector: {term!r}; can't understand")
        field, operator, value = match.groups()
        if field not in allowed:
            raise bad_request(f"field label not supported: {field}")
        tests.append((field, value.replace("\\", ""), operator != "!="))
    return lambda obj: all((_field_value(obj, f) == v) == want for f, v, want in tests)
