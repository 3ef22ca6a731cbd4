"""Acts on objects: choose an action, fill in its parameters, read its plan, confirm."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from textual.worker import get_current_worker

from actions.plan import ActionPlan, ActionResult
from cluster.kube.objects import Ref
from text.action_plan import offer_lines, refusal
from text.lines import BLANK, fields
from tui.dialogs.choice import Choice
from tui.dialogs.dialog import TextPrompt
from tui.dialogs.plans import ChangeDialog, GateDialog
from tui.navigation import Navigation

if TYPE_CHECKING:
    from incident.offers import Offer

MOST = 8
"""Most objects with offered actions at once."""


async def act_on(app: Navigation, refs: Sequence[Ref]) -> None:
    """Changes nothing before the confirmation is typed."""
    investigation = app.investigation
    offers: dict[str, Offer] = {}
    for ref in refs[:MOST]:
        for offer in investigation.offers(ref):
            key = f"{offer.action} {offer.object} {' '.join(offer.arguments.values())}"
            offers.setdefault(key, offer)
    if not offers:
        here = f"No action fits {refs[0]}." if refs else "There is no object here to act on."
        app.tell(f"{here} Choose a symptom, an object or a node.", "warning")
        return
    rows = sorted(offers.items(), key=lambda each: not each[1].likely)
    chosen = await app.push_screen_wait(
        Choice("what can be done", lambda words: offer_lines(rows, words))
    )
    if not chosen:
        return
    offer = offers[chosen]
    arguments = await _asked(app, offer)
    if arguments is not None:
        await _carry_out(app, offer, arguments)


async def act_on_marked(app: Navigation, refs: Sequence[Ref]) -> None:
    """One action on several objects in turn: each shows its plan and asks for its word. One "no"
    ends it."""
    groups: dict[str, list[Offer]] = {}
    for ref in refs:
        for offer in app.investigation.offers(ref):
            if offer.object == ref and offer.action != "undo":
                groups.setdefault(offer.action, []).append(offer)
    common = {name: each for name, each in groups.items() if len(each) == len(refs)}
    if not common:
        app.tell(f"No action fits all {len(refs)} marked objects.", "warning")
        return
    rows = sorted(common, key=lambda name: not any(each.likely for each in common[name]))
    offers = [(name, common[name][0]) for name in rows]
    on = fields("on", [str(ref) for ref in refs])
    chosen = await app.push_screen_wait(
        Choice(
            f"what can be done with {len(refs)} objects",
            lambda words: [*offer_lines(offers, words, len(refs)), BLANK, *on],
        )
    )
    if not chosen:
        return
    asked = await _asked(app, common[chosen][0])
    if asked is None:
        return
    given = {name: asked[name] for name in (each.name for each in common[chosen][0].asks)}
    for done, offer in enumerate(common[chosen]):
        if not await _carry_out(app, offer, {**offer.arguments, **given}, keep=False):
            app.tell(f"{done} of {len(refs)} were asked for; the rest is not touched.")
            return


async def _asked(app: Navigation, offer: Offer) -> dict[str, str] | None:
    """The arguments of an action; None when the person cancels."""
    arguments = dict(offer.arguments)
    for parameter in offer.asks:
        texts = [f"{offer.action} {offer.object}", f"{parameter.name}: {parameter.meaning}"]
        value = await app.push_screen_wait(TextPrompt("what it needs", texts, parameter.name))
        if not value:
            app.tell("Nothing was changed.")
            return None
        arguments[parameter.name] = value
    return arguments


async def _carry_out(
    app: Navigation, offer: Offer, arguments: Mapping[str, str], *, keep: bool = True
) -> bool:
    """Plans, asks and runs, again after the state changed. Returns whether the person agreed.
    `keep`: the result stays on the screen until it is closed."""
    app.planned = f"{offer.action} {offer.object}"
    try:
        plan = await app.investigation.plan_action(offer.action, arguments)
    finally:
        app.planned = ""
    changed = ""
    while True:
        typed = await app.push_screen_wait(GateDialog(plan, app.view, changed)) or ""
        if refusal(plan, app.view.write):
            return False
        if not typed:
            app.tell("Nothing was changed.")
            await app.investigation.run_action(plan, typed)
            return False
        result = await _made(app, plan, typed, keep)
        if result.again is None:
            return True
        plan, changed = result.again, result.sentence


async def _made(app: Navigation, plan: ActionPlan, typed: str, keep: bool) -> ActionResult:
    """Takes the plan through the gate, with its progress and its result on the screen."""
    dialog = ChangeDialog(plan, get_current_worker().cancel, app.keys)
    app.push_screen(dialog)
    try:
        result = await app.investigation.run_action(
            plan, typed, dialog.tell, lambda: dialog.stopping
        )
    except asyncio.CancelledError:
        dialog.end(None)
        raise
    finally:
        app.refresh_screens()
    if result.again is not None:
        dialog.dismiss(None)
    elif keep and not dialog.answered:
        dialog.end(result)
    else:
        dialog.dismiss(None)
        app.tell(f"{result.outcome.value}: {result.sentence}")
    return result
