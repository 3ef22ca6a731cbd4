"""What can be done about an object: actions that fit it and its owner, the likely ones first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from actions import catalogue
from actions.definition import Action
from actions.parameters import Parameter
from cluster.kube.objects import Pod, Ref
from cluster.kube.owners import top_owner
from cluster.live.store import Store


@dataclass(frozen=True, slots=True)
class Offer:
    """One action on one object. `plan_action(offer.action, {**offer.arguments, **asked})` plans it;
    `asks` are the parameters that a person still has to give. `why`: what of the object's state
    calls for it, "" when nothing does."""

    action: str
    summary: str
    blast: str
    object: Ref
    arguments: Mapping[str, str]
    asks: tuple[Parameter, ...]
    why: str = ""
    likely: bool = False


def offers(store: Store, ref: Ref) -> tuple[Offer, ...]:
    """Actions that fit an object, and for a pod those that fit its workload: likely ones first,
    then those of the object itself. Empty for an object that is not in the live state."""
    found = [*_offers(store, ref)]
    row = store.get(*ref)
    if isinstance(row, Pod) and (owner := top_owner(row, store)) != ref:
        found += _offers(store, owner)
    return tuple(sorted(found, key=lambda each: (not each.likely, each.object != ref)))


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
