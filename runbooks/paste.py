"""Reads one pasted text: the bodies of alerts, pages and chat messages, the output of kubectl,
amtool and Prometheus, logs and stack traces.

A paste gives the names of alerts, the objects that labels name, the times at which alerts began,
and the words that are worth comparing with runbooks. Nothing is refused: what has no known form is
read as plain text. Sources of the forms: Alertmanager's webhook data (version 4) and API v2,
Prometheus' `/api/v1/alerts`, PagerDuty's Events API v2, Opsgenie's alert webhook, Slack's message
attachments, and kubectl 1.28 to 1.35.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote_plus

import msgspec

from cluster.kube.kinds import BY_NAME, is_namespaced
from cluster.kube.objects import Ref
from cluster.kube.text import clean_json
from runbooks.pastes.labels import ENDED, is_over, label_sets, labels_of, pairs_of, state_of
from runbooks.pastes.telling import EVENT, FIELD, STAMP, URL, telling_lines

PASTE_LIMIT = 256_000
"""Characters of a paste that are read."""
NAMES, OBJECTS, MARKS = 20, 50, 40
"""Names, objects and marks that are kept of one paste."""
DEPTH = 12
"""Levels of a JSON document that are read."""


class Mark(msgspec.Struct, frozen=True):
    """A moment (UTC) that the paste names, for the timeline."""

    at: datetime
    text: str


class Paste(msgspec.Struct, frozen=True):
    """`names`: alert names and the last parts of runbook links, the surest first. `words`: what is
    compared with runbooks, one sentence a line. `over`: each alert of the text is resolved."""

    text: str
    words: str
    names: tuple[str, ...] = ()
    objects: tuple[Ref, ...] = ()
    marks: tuple[Mark, ...] = ()
    over: bool = False


_NAMED: tuple[str, ...] = (
    *("Pod", "Node", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob"),
    *("PersistentVolumeClaim", "PersistentVolume", "HorizontalPodAutoscaler"),
    *("PodDisruptionBudget", "Service", "Ingress"),
)
_KINDS: Mapping[str, str] = MappingProxyType(
    {word: name for name in _NAMED for word in BY_NAME[name].spellings}
    | {
        "exported_pod": "Pod",
        "pod_name": "Pod",
        "nodename": "Node",
        "node_name": "Node",
        "exported_node": "Node",
        "kubernetes_node": "Node",
        "job_name": "Job",
        "exported_job": "Job",
        "exported_service": "Service",
    }
)
"""Labels of alerts and words of kubectl, and the kinds that they name."""
_SCRAPE = frozenset({"job", "service", "jobs", "services"})
"""Labels that name what Prometheus scraped, not what is wrong."""
_NAMESPACE = ("namespace", "exported_namespace", "kubernetes_namespace")
_NAME_KEYS = frozenset({"alertname", "alert_name", "alert"})
_LINK_KEYS = frozenset({"runbook_url", "runbook", "runbookurl", "runbook-url", "runbook_link"})
_TEXT_KEY = re.compile(
    "summary|description|comment|message|title|text|details?|reason|note|fallback|pretext|value|firing|body"
    "|log|msg|error|err|exception|alertname|alert|condition|problem|subject"
)
_BEGAN = frozenset({"startsat", "activeat", "starts_at", "created_at", "createdat", "fired_at"})
_TIME_KEYS = _BEGAN | {"endsat", "timestamp", "ends_at"}

_NAME = r"[A-Za-z0-9][\w.-]*"
_KEYS = "|".join(sorted({*_KINDS, *_NAMESPACE, *_NAME_KEYS}, key=len, reverse=True))
_PAIR = re.compile(
    rf"""["'`*]?\b({_KEYS})"""
    rf"""\b["'`*]*[ \t]*[=:][ \t"'`*]*({_NAME}(?:/{_NAME})?)""",
    re.IGNORECASE,
)
_PATH = re.compile(
    rf"(?<![\w/.-])({'|'.join(sorted(_KINDS, key=len, reverse=True))})(?:\.[a-z.]+)?"
    rf"/\"?({_NAME})\"?(?: (?:-n|in namespace) \"?({_NAME}))?"
)
_SPOKEN = re.compile(
    r"\b(Pod|Deployment|StatefulSet|DaemonSet|ReplicaSet|Job|CronJob|HPA)\s+"
    r"([a-z0-9][a-z0-9-]*)/([a-z0-9][a-z0-9.-]*)",
    re.IGNORECASE,
)
_COLUMNS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"ROLES", "VERSION"}), "Node"),
    (frozenset({"READY", "STATUS", "RESTARTS"}), "Pod"),
    (frozenset({"STATUS", "VOLUME", "CAPACITY"}), "PersistentVolumeClaim"),
)
"""Columns that only a table of that kind has."""
_WELL = re.compile(r"(?:Running|Ready|Completed|Succeeded|Bound)(?:,SchedulingDisabled)?")
_FIRING = re.compile(r"\[(FIRING|RESOLVED)(?::\d+)?\]\s*([A-Za-z][\w.-]+)")
_STATE = re.compile(r"\[(FIRING|RESOLVED)\b")
_TABLE = re.compile(r"^([A-Za-z]\w+)\s{2,}(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC\s{2,}", re.MULTILINE)
"""A row of `amtool alert query`."""
_MAIL_STAMP = re.compile(
    r"\b\w{3}, \d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d (?:[+-]\d{4}|GMT|UTC)"
)
"""A time as `kubectl describe` and mails write it (RFC 1123)."""
_EPOCH = range(1_000_000_000, 4_000_000_000)
"""Seconds since 1970 that are taken for a time; a thousand times more are milliseconds."""
_DESCRIBED: tuple[tuple[str, str], ...] = (
    ("Allocatable:", "Node"),
    ("Concurrency Policy:", "CronJob"),
    ("Parallelism:", "Job"),
    ("StrategyType:", "Deployment"),
    ("Desired Number of Nodes Scheduled:", "DaemonSet"),
    ("Update Strategy:", "StatefulSet"),
    ("Pods Status:", "ReplicaSet"),
    ("Access Modes:", "PersistentVolumeClaim"),
    ("Session Affinity:", "Service"),
    ("Min replicas:", "HorizontalPodAutoscaler"),
    ("Default backend:", "Ingress"),
    ("Containers:", "Pod"),
)
"""A heading that only the description of that kind has, asked in this order."""


def read_paste(text: str) -> Paste:
    """The names, times and words of one text. Pure; raises nothing. `text` has been cleaned of
    terminal control."""
    text = text[:PASTE_LIMIT]
    found = _Found()
    document = _json(text)
    if document is not None:
        found.walk(document, {}, 0)
        words = found.said
    else:
        found.read(text)
        words = telling_lines(text)
    plain = "\n".join(dict.fromkeys(filter(None, words)))
    return Paste(
        text=text,
        words=plain or text,
        names=tuple(found.names)[:NAMES],
        objects=tuple(found.objects)[:OBJECTS],
        marks=tuple(sorted(found.marks, key=lambda mark: mark.at))[:MARKS],
        over=found.states == {True},
    )


def _json(text: str) -> Any:
    """The JSON document that the text is, None when it is none."""
    start = text.lstrip()
    if start[:1] not in ("{", "["):
        return None
    try:
        return json.loads(clean_json(start))
    except (ValueError, RecursionError):
        return None


class _Found:
    """Findings so far, the surest first."""

    def __init__(self) -> None:
        self.names: dict[str, None] = {}
        self.objects: dict[Ref, None] = {}
        self.marks: dict[Mark, None] = {}
        self.said: list[str] = []
        self.states: set[bool] = set()
        """Whether alerts of the text are over, as far as it says so."""

    def walk(self, value: Any, around: Mapping[str, str], depth: int) -> None:
        """Reads a JSON document; `around` holds the labels of what encloses a value."""
        if depth > DEPTH:
            return
        if isinstance(value, list):
            self._labels(pairs_of(value))
            over = [item for item in value if is_over(item)]
            standing = [item for item in value if not is_over(item)]
            for item in standing or over:
                self.walk(item, around, depth + 1)
            for item in over if standing else ():  # of what is over, the times alone
                flat, _, around_it = labels_of(item, around)
                self._times(flat, around_it.get("alertname", ""))
        elif isinstance(value, dict):
            self._mapping(value, around, depth)

    def _mapping(self, value: Mapping[str, Any], around: Mapping[str, str], depth: int) -> None:
        flat, labels, around = labels_of(value, around)
        self._labels(labels)
        name = labels.get("alertname") or around.get("alertname", "")
        if "matchers" in flat:
            name = f"the silence of {pairs_of(flat['matchers']).get('alertname', 'alerts')}"
        self._times(flat, name)
        if state := state_of(value) if {"labels", "alerts"} & {*flat} else "":
            self.states.add(state in ENDED)
        for key, item in flat.items():
            if not isinstance(item, str):
                self.walk(item, around, depth + 1)
            elif key in _LINK_KEYS:
                self._link(item)
            elif _TEXT_KEY.fullmatch(key):
                self._string(item, around, depth)

    def _times(self, flat: Mapping[str, Any], name: str) -> None:
        for key, item in flat.items():
            what = f"{name or 'the alert'} {'began' if key in _BEGAN else 'ended'}"
            if isinstance(item, str) and key in _TIME_KEYS:
                self._mark(item, what)
            elif isinstance(item, int) and key in _TIME_KEYS | {"ts"}:
                seconds = item // 1000 if item // 1000 in _EPOCH else item
                if seconds in _EPOCH:
                    stamp = datetime.fromtimestamp(seconds, UTC).isoformat()
                    self._mark(stamp, what if "end" in key else what.replace(" ended", " began"))

    def _string(self, text: str, around: Mapping[str, str], depth: int) -> None:
        inner = _json(text)
        if inner is not None:
            self.walk(inner, around, depth + 1)
            return
        self.said += telling_lines(text)
        self.read(text)

    def read(self, text: str) -> None:
        """Reads plain text."""
        for url in URL.findall(text):
            if "runbook" in url.lower():
                self._link(url)
        plain = URL.sub(" ", text)
        for _, name in sorted(_FIRING.findall(plain), key=lambda found: found[0]):
            self.names.setdefault(name)
        self.states |= {state == "RESOLVED" for state in _STATE.findall(plain)}
        for name, stamp in _TABLE.findall(plain):
            self.names.setdefault(name)
            self._mark(stamp, f"{name} began")
        self._described(plain)
        for labels in label_sets(_PAIR.findall(plain)):
            self._labels(labels)
        self._table(plain)
        for kind, name, namespace in _PATH.findall(plain):
            self._object(_KINDS[kind], namespace, name)
        for kind, namespace, name in _SPOKEN.findall(plain):
            self._object(_KINDS[kind.lower()], namespace, name)
        stamps = [
            found.group()
            for row in plain.splitlines()
            if (found := STAMP.search(row) or _MAIL_STAMP.search(row))
        ]
        for stamp, which in zip(stamps[:1] + stamps[1:][-1:], ("first", "last"), strict=False):
            if not self.marks or which == "last":
                self._mark(stamp, f"{which} time in the pasted text")

    def _table(self, text: str) -> None:
        """The objects of a table of `kubectl get` that are not well; of events, those of
        warnings."""
        columns: list[str] = []
        for row in text.splitlines():
            cells = row.split()
            if cells[:1] in (["NAME"], ["NAMESPACE"]):
                columns = cells
                continue
            namespace = cells[0] if columns[:1] == ["NAMESPACE"] and cells else ""
            if "OBJECT" in columns:
                found = EVENT.match(row)
                kind, _, name = found[3].partition("/") if found else ("", "", "")
                if found and found[1] == "Warning" and kind in _KINDS:
                    self._object(_KINDS[kind], namespace, name)
                continue
            kind = next((kind for known, kind in _COLUMNS if known <= {*columns}), "")
            if (
                not kind
                or len(cells) < len(columns)
                or _WELL.fullmatch(cells[columns.index("STATUS")])
            ):
                continue
            self._object(kind, namespace, cells[columns.index("NAME")])

    def _labels(self, labels: Mapping[str, str]) -> None:
        for key in ("alertname", "alert_name", "alert"):
            name = labels.get(key, "")
            if re.fullmatch(r"[A-Za-z][\w .:-]{2,100}", name):
                self.names.setdefault(name)
        namespace = next((labels[key] for key in _NAMESPACE if labels.get(key)), "")
        for key, name in labels.items():
            kind = _KINDS.get(key)
            if kind is None or key in _SCRAPE or not re.fullmatch(rf"{_NAME}(?:/{_NAME})?", name):
                continue
            if not is_namespaced(kind):
                self._object(kind, "", name.partition("/")[0])
            else:
                where, _, short = name.rpartition("/")
                self._object(kind, where or namespace, short)
        if namespace and re.fullmatch(_NAME, namespace):
            self._object("Namespace", "", namespace)

    def _object(self, kind: str, namespace: str, name: str) -> None:
        name = name.rstrip(".:")
        if name.isdecimal():  # a count: "pods: 2"
            return
        ref = Ref(kind, namespace if is_namespaced(kind) else "", name)
        if not namespace and any(one.kind == kind and one.name == name for one in self.objects):
            return
        self.objects.setdefault(ref)

    def _described(self, text: str) -> None:
        """The object of `kubectl describe`."""
        fields = dict(FIELD.findall(text))
        kind = next((kind for heading, kind in _DESCRIBED if f"\n{heading}" in f"\n{text}"), "")
        if not kind or "Name" not in fields:
            return
        namespace = fields.get("Namespace", "")
        self._object(kind, namespace, fields["Name"])
        if "Node" in fields and fields["Node"] != "<none>":
            self._object("Node", "", fields["Node"].partition("/")[0])
        for field in ("Controlled By", "Reference"):
            owner, slash, name = fields.get(field, "").partition("/")
            if slash and owner.lower() in _KINDS:
                self._object(_KINDS[owner.lower()], namespace, name)

    def _link(self, url: str) -> None:
        """The last parts of a runbook's address: file name and anchor."""
        path, _, anchor = unquote_plus(url).rstrip("/").partition("#")
        anchor = re.sub(r"^alert-?name-?", "", anchor, flags=re.IGNORECASE)
        path = re.sub(r"/(?:index|readme)\.\w+$", "", path.partition("?")[0], flags=re.IGNORECASE)
        file = path.rstrip("/").rpartition("/")[2]
        for part in (anchor, re.sub(r"\.(?:md|html?|adoc|txt)$", "", file)):
            if part:
                self.names.setdefault(part)

    def _mark(self, text: str, what: str) -> None:
        found = STAMP.search(text)
        if (found is None and not _MAIL_STAMP.search(text)) or (found and found[1] < "0002"):
            return
        try:
            if found is None:
                moment = parsedate_to_datetime(text)
            else:
                zone = found[3] or "Z"
                moment = datetime.fromisoformat(
                    f"{found[1].replace('/', '-')}T{found[2]}"
                    f"{'+00:00' if zone in ('Z', 'UTC') else zone}"
                )
            self.marks.setdefault(Mark(moment.astimezone(UTC), what))
        except (ValueError, OverflowError):
            return
