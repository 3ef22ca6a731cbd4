"""Changes the title, severity and state of the incident: one choice, one answer."""

from __future__ import annotations

from incident.record import RecordUnavailable
from text.lines import Line
from text.timeline import incident_lines
from tui.dialogs.choice import Choice
from tui.dialogs.dialog import TextPrompt
from tui.navigation import Navigation

QUESTIONS = {
    "title": ("title", "What is it called, in one line?"),
    "severity": ("severity", "How severe is it? For example SEV1."),
    "close": ("close the incident", "Why is it over? The record keeps the reason."),
    "reopen": ("open it again", "Why is it open again? The record keeps the reason."),
}


async def change_incident(app: Navigation) -> None:
    """Asks what to change and for the new value, then reports whether it is on disk."""
    record = app.view.record

    def listed(words: str) -> list[Line]:
        return [row for row in incident_lines(app.view) if words.lower() in row.text.lower()]

    chosen = await app.push_screen_wait(
        Choice(f"incident {record.incident or '(none yet)'}", listed)
    )
    if not chosen:
        return
    if chosen == "new":
        app.action_new_incident()
        return
    investigation = app.investigation
    unknown = next((intent for intent in record.unknown if intent.id == chosen), None)
    if unknown is not None:
        title, question = (
            "what was the outcome?",
            f"{unknown.text}: what do you see in the cluster?",
        )
    else:
        title, question = QUESTIONS[chosen]
    value = {"title": record.summary.title, "severity": record.summary.severity}.get(chosen, "")
    text = await app.push_screen_wait(TextPrompt(title, [question], value=value))
    if not text:
        return
    try:
        if unknown is not None:
            entry = investigation.conclude_change(unknown, text)
        else:
            entry = {
                "title": investigation.rename_incident,
                "severity": investigation.set_severity,
                "close": investigation.close_incident,
                "reopen": investigation.reopen_incident,
            }[chosen](text)
        await investigation.recorded(entry)
    except (ValueError, RecordUnavailable) as error:
        app.tell(f"{title.capitalize()}: {error}", "error")
    else:
        app.tell(f"Recorded, {title}: {text}")
    app.refresh_screens()
