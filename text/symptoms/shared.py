"""What the objects of a symptom have in common and the healthy ones do not."""

from __future__ import annotations

from collections.abc import Iterator

from text.words import plural
from triage.facts.finding import SHARED, Symptom

_IMAGE = ("image", "image digest")
"""Two attributes of one thing: an image, by its name and by its content."""


def shared_text(symptom: Symptom) -> str:
    """`failing: 7 of 7 on node-2; others: 0 of 41`, or the number of objects when they share
    nothing."""
    if not symptom.shared:
        return plural(len(symptom.objects), "object") if symptom.objects else "names no object"
    return symptom.shared[0].sentence


def shared_sentences(symptom: Symptom) -> Iterator[str]:
    """Each attribute once; those that separate equally well follow the first."""
    named: set[str] = set()
    for shared in symptom.shared:
        if f"{shared.what} {shared.spoken}" in named or f"{shared.what} {shared.value}" in named:
            continue
        named |= set(shared.tied_with)
        kinds = list(dict.fromkeys(_attribute(text) for text in shared.tied_with))
        if shared.what in _IMAGE:  # its sentence names the image already
            kinds = [kind for kind in kinds if kind not in _IMAGE]
        elif all(kind in kinds for kind in _IMAGE):
            kinds.remove("image digest")
        if shared.of_nodes and "owner" in kinds:  # one node runs pods of many
            workloads = sum(_attribute(text) == "owner" for text in shared.tied_with)
            kinds[kinds.index("owner")] = plural(workloads, "more workload")
        also = f" (they also share {', '.join(kinds)})" if kinds else ""
        yield shared.sentence + also


def _attribute(text: str) -> str:
    """The name of an attribute that is written with its value ("image digest sha256:9f")."""
    if "created after" in text:
        return "the time of creation"
    names = [name for name in SHARED if text.startswith(f"{name} ")]
    return max(names, key=len) if names else text
