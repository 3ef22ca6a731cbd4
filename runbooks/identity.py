"""Finds the pages that a text names: an alert whose name is the file name, title or id of a page
needs no ranking."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from cluster.kube.kinds import READABLE
from runbooks.loader import OURS
from runbooks.model import Runbook
from runbooks.parse import page_stem
from runbooks.paste import Paste
from runbooks.terms import CAMEL

_NOT_A_NAME = re.compile(r"[\W_]+")
_TOKEN = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*")
_COMPOUND = re.compile(r"[a-z0-9][A-Z]|[A-Z]{2}[a-z]|[-_]\w")
"""Two words in one: `KubePodNotReady`, `kube-pod-not-ready`. A plain word names no page."""
_FIRST = re.compile(r"\W*([A-Za-z][A-Za-z0-9_]+)\s*(?:[:(\n]|$)")
"""A plain word names a page when the text begins with it as with a title: `Watchdog: …`."""
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
_WORD_FOR_IT = r"(?:alert(?:[-_ ]?name)?|alarm|alerte|alerta|alarme|runbook|playbook)s?"
_BEFORE = re.compile(
    rf"^[\W_]*(?:\d+[-_. )]+)?(?:{_WORD_FOR_IT}[-_.: ]+(?:for |on )?)*[\W_]*", re.IGNORECASE
)
_AFTER = re.compile(
    rf"(?:[-_.: ]+{_WORD_FOR_IT}|\.[a-z]{{2}}(?:-[a-z]{{2}})?|\s*\([^()]*\))*[\W_]*$", re.IGNORECASE
)
_KUBERNETES = frozenset(
    {kind.name for kind in READABLE.values()}
    | {"CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "ContainerCreating", "OOMKilled"}
    | {"CreateContainerConfigError", "CreateContainerError", "FailedScheduling", "FailedMount"}
)
"""Words of Kubernetes in the form of a name, which many a page has in its headings."""


def folded(name: str) -> str:
    """A name without case, spaces and punctuation: `Kube Pod Not Ready` is `kubepodnotready`."""
    return _NOT_A_NAME.sub("", name.casefold())


def bare(name: str) -> str:
    """A name without what people put around it: `Alert: X`, `02-X.de`, `X runbook`, `X (page)`."""
    return _AFTER.sub("", _BEFORE.sub("", name, count=1), count=1)


def page_names(runbook: Runbook) -> tuple[str, ...]:
    """File name, id, title and further names of a page, folded, as they are and bare."""
    stem, short = page_stem(runbook.path), runbook.id.rpartition("/")[2]
    names = (stem, short, runbook.title, *runbook.names)
    return tuple(dict.fromkeys(filter(None, map(folded, (*names, *map(bare, names))))))


def _alert_in(text: str, *, title: bool = False) -> str:
    """The alert that a heading is about, "" for none: its only word, its first one before a dash or
    colon, or (in a title) the only one that is written as alerts are."""
    text = bare(text)
    tokens = _TOKEN.findall(text)
    named = [token for token in tokens if CAMEL.search(token) and token not in _KUBERNETES]
    if len(named) != 1:
        return ""
    (name,) = named
    lone = len(tokens) == 1 and (name == text or not text.isascii())
    first = re.match(rf"{re.escape(name)}\W*\s[-–—:|]\s|{re.escape(name)}:", text)
    telling = title and len(CAMEL.findall(name)) > 1
    return name if lone or first or telling else ""


JOINED = 14
"""Letters of a word that names a page also in lower case: `kubepodcrashlooping`."""


class PageNames:
    """The pages by name. A team's page stands before ours, and one that is named so before one that
    only has a heading of that name."""

    def __init__(self, runbooks: Iterable[Runbook], alerts: Mapping[str, Sequence[str]]) -> None:
        """`alerts`: ids of runbooks, with the alerts for which they are written."""
        self._pages: dict[str, list[str]] = {}
        self._spoken: dict[str, list[str]] = {}
        """Names that count wherever they stand in a text: of ours only ids and alerts, since
        `NodeNotReady` is what Kubernetes says as well."""
        ordered = sorted(runbooks, key=lambda one: (one.origin == OURS, "/" in one.id))
        for runbook in ordered:
            ours = runbook.origin == OURS
            for name in page_names(runbook):
                self._add(name, runbook.id, spoken=not ours)
            for alert in alerts.get(runbook.id, ()):
                if folded(alert) not in self._pages:  # a page of that name knows more of it
                    self._add(folded(alert), runbook.id, spoken=True)
        for runbook in (one for one in ordered if one.plain):
            found = [_alert_in(runbook.title, title=True)]
            found += map(_alert_in, _HEADING.findall(runbook.text))
            for name in filter(None, found):
                self._add(folded(name), runbook.id, spoken=True)
        self._ids = {runbook.id for runbook in ordered}

    def _add(self, name: str, runbook_id: str, *, spoken: bool) -> None:
        for names in (self._pages, self._spoken) if spoken else (self._pages,):
            known = names.setdefault(name, [])
            if runbook_id not in known:
                known.append(runbook_id)

    def named(self, name: str) -> Sequence[str]:
        """The ids of the pages with that name, the first one first."""
        return self._pages.get(folded(name), ()) or self._pages.get(folded(bare(name)), ())

    def find(self, paste: Paste) -> dict[str, str]:
        """The ids of the pages that a text names, the surest first, each with the name as it is
        written."""
        found: dict[str, str] = {}
        for name in paste.names:
            for runbook_id in self.named(name):
                found.setdefault(runbook_id, name)
        whole = paste.text.strip()
        if len(whole) < 120:
            for runbook_id in self.named(whole):
                found.setdefault(runbook_id, whole)
        first = _FIRST.match(paste.text)
        # of an alert that is over, its name stands in the text alone
        spoken = paste.words if paste.names else paste.text
        for token in dict.fromkeys(_TOKEN.findall(spoken)):
            plain = not _COMPOUND.search(token) and len(token) < JOINED
            if plain and (first is None or token != first[1]):
                continue
            if token in self._ids and token.count("-") > 1:
                found.setdefault(token, token)
            for runbook_id in self._spoken.get(folded(token), ()):
                found.setdefault(runbook_id, token)
        return found


def find_page(runbooks: Sequence[Runbook], name: str) -> Runbook | None:
    """The page with that id, else the one whose file name, id or title it is in any spelling."""
    exact = next((runbook for runbook in runbooks if runbook.id == name), None)
    if exact is not None:
        return exact
    pages = PageNames(runbooks, {}).named(name)
    return next((runbook for runbook in runbooks if pages and runbook.id == pages[0]), None)
