"""Finds the objects that a text names."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cluster.kube.kinds import KINDS, READABLE
from cluster.kube.objects import Ref
from cluster.live.store import Store

MOST = 300
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?")
_REF = re.compile(rf"\b([A-Z][A-Za-z]+) (?:({_NAME.pattern})/)?({_NAME.pattern})")
"""The text of a `Ref`."""


def mentioned(texts: Iterable[str], store: Store) -> list[Ref]:
    """The named objects: first those with their kind, then known ones with name and namespace in
    the texts, then those with only their name."""
    whole: list[Ref] = []
    words: set[str] = set()
    for text in texts:
        words.update(_NAME.findall(text))
        whole += [
            Ref(kind, namespace, name)
            for kind, namespace, name in _REF.findall(text)
            if kind in READABLE and READABLE[kind].namespaced is bool(namespace)
        ]
    near: list[Ref] = []
    far: list[Ref] = []
    for kind in (each.name for each in KINDS if each.name != "Event"):
        for namespace, name in store.rows(kind):
            if name in words:
                group = near if not namespace or namespace in words else far
                group.append(Ref(kind, namespace, name))
    return list(dict.fromkeys((*whole, *near, *far)))[:MOST]
