"""Label selectors, node selector terms and field selectors, evaluated by one rule.

Sources: `metav1.LabelSelectorAsSelector`, `labels.Parse` and `labels.Requirement.Matches` of
k8s.io/apimachinery; `nodeaffinity` of k8s.io/component-helpers. A requirement with an operator that
Kubernetes does not know is an error there and selects nothing; so it does here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from cluster.kube.objects import LabelSelector, LabelSelectorRequirement

_TERM = re.compile(r"[^,()]*(?:\([^()]*\))?[^,()]*")
_SET = re.compile(r"(\S+)\s+(in|notin)\s*\(([^()]*)\)")
_COMPARED = re.compile(r"([^=!<>\s]+)\s*(==|=|!=|>|<)\s*(\S*)")
_OPERATORS = {"in": "In", "notin": "NotIn", "==": "In", "=": "In", "!=": "NotIn"}
_OPERATORS |= {">": "Gt", "<": "Lt"}


def matches(selector: LabelSelector | None, labels: Mapping[str, str]) -> bool:
    """Whether a `metav1.LabelSelector` selects these labels. None selects nothing, an empty one
    everything."""
    return selector is not None and (
        contains(labels, selector.match_labels)
        and all(_holds(each, labels) for each in selector.match_expressions)
    )


def contains(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether `labels` have all pairs of `wanted` (a node selector, `matchLabels`)."""
    return all(labels.get(key) == value for key, value in wanted.items())


def service_selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether a Service selects a pod with these labels. A Service without a selector selects
    nothing: its endpoints are made by hand."""
    return bool(selector) and contains(labels, selector)


def node_term_matches(term: Mapping[str, Any], name: str, labels: Mapping[str, str]) -> bool:
    """Whether a `NodeSelectorTerm`, as the API sends it, selects the node of this name and these
    labels. A term without requirements, or of another shape, selects nothing."""
    try:
        expressions = msgspec.convert(term.get("matchExpressions") or (), _REQUIREMENTS)
        fields = msgspec.convert(term.get("matchFields") or (), _REQUIREMENTS)
    except msgspec.ValidationError:
        return False
    return bool(expressions or fields) and (
        all(_holds(each, labels) for each in expressions)
        and all(_holds(each, {"metadata.name": name}) for each in fields)
    )


def text_matches(selector: str, labels: Mapping[str, str]) -> bool:
    """Whether a selector as kubectl takes it (`app=web,tier in (a, b),!old`) selects these labels;
    "" selects everything. Raises ValueError when it is not one."""
    return all_hold(parse(selector), labels)


def all_hold(requirements: Iterable[LabelSelectorRequirement], labels: Mapping[str, str]) -> bool:
    """Whether labels meet all requirements."""
    return all(_holds(each, labels) for each in requirements)


def parse(selector: str) -> tuple[LabelSelectorRequirement, ...]:
    """The requirements of a selector as kubectl takes it. Raises ValueError."""
    return tuple(_requirement(term) for term in _terms(selector))


def fields_match(selector: str, item: Mapping[str, Any]) -> bool:
    """Whether a field selector (`status.phase=Running,spec.nodeName!=a`) selects an object; a field
    that is not there is ""."""
    for term in _terms(selector):
        found = _COMPARED.fullmatch(term)
        if found is None or found[2] in "><":
            raise ValueError(f"{term[:80]!r} is no requirement of a field selector")
        value: Any = item
        for part in found[1].split("."):
            value = value.get(part, "") if isinstance(value, Mapping) else ""
        if (str(value) == found[3]) is (found[2] == "!="):
            return False
    return True


def selector_text(selector: LabelSelector | None) -> str:
    """A selector as kubectl prints it; "" for none, `everything` for an empty one."""
    if selector is None:
        return ""
    pairs = (f"{key}={value}" for key, value in sorted(selector.match_labels.items()))
    return ",".join([*pairs, *map(_text, selector.match_expressions)]) or "everything"


_REQUIREMENTS = tuple[LabelSelectorRequirement, ...]


def _holds(requirement: LabelSelectorRequirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return value is not None and value in requirement.values
        case "NotIn":
            return value is None or value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt":
            try:
                (limit,) = map(int, requirement.values)
                number = int(value or "")
            except ValueError:
                return False
            return number > limit if requirement.operator == "Gt" else number < limit
        case _:
            return False


def _terms(selector: str) -> Iterator[str]:
    """The parts between commas; those inside parentheses separate nothing."""
    if _TERM.sub("", selector).strip(","):
        raise ValueError(f"{selector[:80]!r} is no selector: its parentheses do not fit")
    return filter(None, (term.strip() for term in _TERM.findall(selector)))


def _requirement(term: str) -> LabelSelectorRequirement:
    if found := _SET.fullmatch(term):
        values: Iterable[str] = (value.strip() for value in found[3].split(","))
        return LabelSelectorRequirement(found[1], _OPERATORS[found[2]], tuple(values))
    if found := _COMPARED.fullmatch(term):
        return LabelSelectorRequirement(found[1], _OPERATORS[found[2]], (found[3],))
    key = term.removeprefix("!").strip()
    if not key or re.search(r"[\s=!<>()]", key):
        raise ValueError(f"{term[:80]!r} is no requirement of a label selector")
    return LabelSelectorRequirement(key, "DoesNotExist" if term.startswith("!") else "Exists")


def _text(requirement: LabelSelectorRequirement) -> str:
    values = ",".join(requirement.values)
    match requirement.operator:
        case "In" | "NotIn":
            return f"{requirement.key} {requirement.operator.lower()} ({values})"
        case "Exists":
            return requirement.key
        case "DoesNotExist":
            return f"!{requirement.key}"
        case _:
            return f"{requirement.key} {requirement.operator} {values}".strip()
