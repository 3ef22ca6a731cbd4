"""What can be done about objects: choose an action, give what it needs, read its plan, confirm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cluster.kube.objects import Ref
from text.action_plan import offer_lines
from tui.dialogs.choice import Choice
from tui.dialogs.dialog import Ask
from tui.dialogs.plans import GateDialog
from tui.navigation import Navigation

if TYPE_CHECKING:
    from incident.offers import Offer

MOST = 8
"""Objects whose actions are offered at once."""


async def act_on(app: Navigation, refs: Sequence[Ref]) -> None:
    """Nothing is changed before the gate's word is typed."""
    investigation = app.investigation
    offers: dict[str, Offer] = {}
    for ref in refs[:MOST]:
        for offer in investigation.offers(ref):
            offers.setdefault(f"{offer.action} {offer.object}", offer)
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
    arguments = dict(offer.arguments)
    for parameter in offer.asks:
        texts = [f"{offer.action} {offer.object}", f"{parameter.name}: {parameter.meaning}"]
        value = await app.push_screen_wait(Ask("what it needs", texts, parameter.name))
        if not value:
            app.tell("Nothing was changed.")
            return
        arguments[parameter.name] = value
    plan = await investigation.plan_action(offer.action, arguments)
    typed = await app.push_screen_wait(GateDialog(plan, app.view))
    if not typed:
        app.tell("Nothing was changed.")
        return
    result = await investigation.run_action(plan, typed)
    app.tell(f"{result.outcome.value}: {result.sentence}")
    app.refresh_screens()
