"""Label and field selectors, as the API server parses and applies them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from drills.api.objects import Obj, dig
from drills.api.problems import ApiProblem, bad_request

Match = Callable[[Obj], bool]

_TERM = re.compile(
    r"\s*(?:(?P<absent>!)\s*(?P<akey>[\w./-]+)"
    r"|(?P<skey>[\w./-]+)\s+(?P<set>in|notin)\s*\((?P<values>[^)]*)\)"
    r"|(?P<key>[\w./-]+)\s*(?P<op>==|=|!=)\s*(?P<value>[\w./:-]*)"
    r"|(?P<gkey>[\w./-]+)\s*(?P<gop>[<>])\s*(?P<gvalue>\d+)"
    r"|(?P<present>[\w./-]+))\s*(?:,|$)"
)


def parse_labels(text: str) -> Match:
    """Equality- and set-based label selector. Raises ApiProblem (400) when it cannot be parsed."""
    if not text.strip():
        return lambda obj: True
    tests: list[Callable[[dict[str, str]], bool]] = []
    at = 0
    while at < len(text):
        match = _TERM.match(text, at)
        if match is None or match.end() == at:
            raise bad_request(f"unable to parse requirement: found '{text[at:]}'")
        tests.append(_label_test(match))
        at = match.end()

    def apply(obj: Obj) -> bool:
        labels = obj.get("metadata", {}).get("labels") or {}
        return all(test(labels) for test in tests)

    return apply


def _label_test(m: re.Match[str]) -> Callable[[dict[str, str]], bool]:
    if m["absent"]:
        key = m["akey"]
        return lambda labels: key not in labels
    if m["set"]:
        key, values = m["skey"], {v.strip() for v in m["values"].split(",")}
        if m["set"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if m["op"]:
        key, value = m["key"], m["value"]
        if m["op"] == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if m["gop"]:
        key, bound, greater = m["gkey"], int(m["gvalue"]), m["gop"] == ">"

        def compare(labels: dict[str, str]) -> bool:
            raw = labels.get(key, "")
            return raw.isdigit() and (int(raw) > bound if greater else int(raw) < bound)

        return compare
    key = m["present"]
    return lambda labels: key in labels


def matches_selector(selector: Obj | None, labels: dict[str, str]) -> bool:
    """metav1.LabelSelector against labels; an absent selector matches nothing, an empty one
    everything."""
    if selector is None:
        return False
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for term in selector.get("matchExpressions") or []:
        key, operator, values = term["key"], term["operator"], term.get("values") or []
        if operator == "In" and labels.get(key) not in values:
            return False
        if operator == "NotIn" and labels.get(key) in values:
            return False
        if operator == "Exists" and key not in labels:
            return False
        if operator == "DoesNotExist" and key in labels:
            return False
    return True


_META = {"metadata.name", "metadata.namespace"}
_FIELDS: dict[str, frozenset[str]] = {
    "pods": frozenset(
        {
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        }
    ),
    "events": frozenset(
        {
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
        }
    ),
    "nodes": frozenset({"spec.unschedulable"}),
    "namespaces": frozenset({"status.phase"}),
    "secrets": frozenset({"type"}),
    "jobs": frozenset({"status.successful"}),
    "replicasets": frozenset({"status.replicas"}),
    "services": frozenset({"spec.clusterIP", "spec.type"}),
}


def _field_value(obj: Obj, field: str) -> str:
    if field == "source":
        return str(dig(obj, "source", "component") or obj.get("reportingComponent") or "")
    if field.startswith("regarding."):
        field = "involvedObject." + field.removeprefix("regarding.")
    value: Any = dig(obj, *field.split("."), default="")
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def parse_fields(text: str, plural: str) -> Match:
    """Field selector for one resource. Raises ApiProblem (400) for a field that the resource does
    not index."""
    if not text.strip():
        return lambda obj: True
    tests: list[tuple[str, str, bool]] = []
    allowed = _META | _FIELDS.get(plural, frozenset())
    for term in text.split(","):
        match = re.fullmatch(r"\s*([\w.]+)\s*(==|=|!=)\s*(.*?)\s*", term)
        if match is None:
            raise bad_request(f"invalid field selector: {term!r}; can't understand")
        field, operator, value = match.groups()
        if field not in allowed:
            raise ApiProblem(400, "BadRequest", f"field label not supported: {field}")
        tests.append((field, value.replace("\\", ""), operator != "!="))
    return lambda obj: all((_field_value(obj, f) == v) == want for f, v, want in tests)
