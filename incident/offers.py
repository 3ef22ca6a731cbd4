"""Actions that fit an object and its owner, the most likely first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from actions import catalogue
from actions.definition import Action
from actions.parameters import Parameter
from actions.plan import CHANGED
from cluster.kube.objects import Pod, Ref
from cluster.kube.owners import top_owner
from cluster.live.store import Store
from timeline.entry import Entry
from timeline.intents import pair

UNDO = "undo"
MOST_UNDONE = 5
"""Most changes offered for undo at once."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One action on one object.

    `plan_action(offer.action, {**offer.arguments, **asked})` plans it. `asks` are the parameters
    that a person still has to give. `why`: the state of the object that suggests the action, ""
    when there is none.
    """

    action: str
    summary: str
    blast: str
    object: Ref
    arguments: Mapping[str, str]
    asks: tuple[Parameter, ...]
    why: str = ""
    likely: bool = False


def offers(store: Store, ref: Ref) -> tuple[Offer, ...]:
    """Actions that fit an object and, for a pod, its workload: the most likely first, then those of
    the object itself. Empty for an object that is not in the store."""
    found = [*_offers(store, ref)]
    row = store.get(*ref)
    if isinstance(row, Pod) and (owner := top_owner(row, store)) != ref:
        found += _offers(store, owner)
    return tuple(sorted(found, key=lambda each: (not each.likely, each.object != ref)))


def undo_offers(entries: Iterable[Entry], ref: Ref | None = None) -> tuple[Offer, ...]:
    """The recorded changes that can be undone and were not, newest first; with `ref` those that
    touched it."""
    changes = [
        (intent, result)
        for intent, result in pair(entries)
        if intent.kind == "action-intent" and "part_of" not in intent.data
    ]
    undone = {
        str((intent.data.get("arguments") or {}).get("change"))
        for intent, result in changes
        if intent.data.get("action") == UNDO and _changed(result)
    }
    return tuple(
        _undo(intent)
        for intent, result in reversed(changes)
        if intent.data.get("undo_action") == UNDO
        and _changed(result)
        and intent.intent_id not in undone
        and (ref is None or ref in _objects(intent))
    )[:MOST_UNDONE]


def _changed(result: Entry | None) -> bool:
    """Whether the cluster may have changed: a change without a result may have taken effect."""
    return result is None or result.data.get("outcome") in {each.value for each in CHANGED}


def _objects(intent: Entry) -> list[Ref]:
    targets = intent.data.get("targets") or ()
    named = [each["object"] for each in targets] + [intent.data.get("object") or {}]
    return [Ref(*(each.get(key, "") for key in ("kind", "namespace", "name"))) for each in named]


def _undo(intent: Entry) -> Offer:
    *_, about = _objects(intent)
    made = f"made at {intent.occurred_at:%H:%M:%S} UTC"
    arguments = {"change": intent.intent_id}
    return Offer(UNDO, f"Take back: {intent.text}.", "", about, arguments, (), made)


def _offers(store: Store, ref: Ref) -> Iterator[Offer]:
    for action in catalogue.ACTIONS.values():
        fit = action.fits(store, ref)
        if fit is not None:
            asks = tuple(_asked(action, fit.arguments))
            yield Offer(
                action.name,
                action.summary,
                action.blast,
                ref,
                fit.arguments,
                asks,
                fit.why,
                fit.likely,
            )


def _asked(action: Action, given: Mapping[str, str]) -> Iterator[Parameter]:
    return (each for each in action.parameters if each.required and each.name not in given)
