"""Finds the pages that a text names: an alert whose name is the file name, title or id of a page
needs no ranking."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from runbooks.loader import OURS
from runbooks.model import Runbook
from runbooks.paste import Paste

_NOT_A_NAME = re.compile(r"[\W_]+")
_TOKEN = re.compile(r"[A-Za-z]\w*(?:-\w+)*")
_COMPOUND = re.compile(r"[a-z0-9][A-Z]|[A-Z]{2}[a-z]|[-_]\w")
"""Two words in one: `KubePodNotReady`, `kube-pod-not-ready`. A plain word names no page."""
_FIRST = re.compile(r"\W*([A-Za-z]\w+)\s*(?:[:(\n]|$)")
"""A plain word names a page when the text begins with it as with a title: `Watchdog: …`."""
_HEADING = re.compile(
    r"^#{1,6}\s+(?:alert(?: ?name)?:?\s*)?[\"`*]*([A-Z]\w*[a-z]\w*[A-Z]\w*)[\"`*]*\s*$",
    re.MULTILINE | re.IGNORECASE,
)


def folded(name: str) -> str:
    """A name without case, spaces and punctuation: `Kube Pod Not Ready` is `kubepodnotready`."""
    return _NOT_A_NAME.sub("", name.casefold())


def page_names(runbook: Runbook) -> tuple[str, ...]:
    """File name, id and title of a page, folded."""
    names = (runbook.path.stem, runbook.id.rpartition("/")[2], runbook.title)
    return tuple(dict.fromkeys(filter(None, map(folded, names))))


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
        for runbook in ordered:
            if runbook.plain:
                for heading in _HEADING.findall(runbook.text):
                    self._add(folded(heading), runbook.id, spoken=True)
        self._ids = {runbook.id for runbook in ordered}

    def _add(self, name: str, runbook_id: str, *, spoken: bool) -> None:
        for names in (self._pages, self._spoken) if spoken else (self._pages,):
            known = names.setdefault(name, [])
            if runbook_id not in known:
                known.append(runbook_id)

    def named(self, name: str) -> Sequence[str]:
        """The ids of the pages with that name, the first one first."""
        return self._pages.get(folded(name), ())

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
        for token in dict.fromkeys(_TOKEN.findall(paste.text)):
            if not _COMPOUND.search(token) and (first is None or token != first[1]):
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
