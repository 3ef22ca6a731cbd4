"""The debrief after a blind drill, from the record: first sight, time to the right runbook,
detours, and what the people of the story did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from drills.scenario.model import Scenario
from drills.scenario.renaming import Renamer
from incident.offline import archive
from incident.options import Options
from timeline.entry import Entry
from timeline.metrics import duration


def print_debrief(scenario: Scenario, options: Options, names: Mapping[str, str]) -> None:
    """Print the debrief of the newest drill; `names` are those that the player saw."""
    try:
        reading = archive.read(options, "")
    except archive.Error as error:
        print(f"the drill was {scenario.id}; its record cannot be read: {error}")
        return
    entries = sorted(reading.entries, key=lambda entry: entry.seq)
    for line in debrief(scenario, entries, names):
        print(line)


def debrief(
    scenario: Scenario, entries: Sequence[Entry], names: Mapping[str, str]
) -> Iterator[str]:
    """The lines of a debrief. Times count from the opening of the screens."""
    answer = scenario.answer
    right = answer.runbook
    yield f"The drill was: {scenario.title} ({scenario.id})"
    opened = next((entry.recorded_at for entry in entries if entry.kind == "session"), None)

    def after(entry: Entry | None) -> str:
        return (
            duration((entry.recorded_at - opened).total_seconds())
            if entry is not None and opened is not None
            else "never"
        )

    seen = next((entry for entry in entries if entry.kind == "observation"), None)
    matched = next(
        (
            entry
            for entry in entries
            if entry.kind == "match" and entry.data.get("runbook") == right
        ),
        None,
    )
    walked = [entry for entry in entries if entry.kind == "run-started"]
    found = next((entry for entry in walked if entry.data.get("runbook") == right), None)
    yield f"first symptom on record   {after(seen)}"
    yield f"right runbook ranked      {after(matched)}"
    yield f"right runbook opened      {after(found)}"
    wrong = [
        str(entry.data.get("runbook")) for entry in walked if entry.data.get("runbook") != right
    ]
    yield "other runbooks followed   " + (", ".join(dict.fromkeys(wrong)) or "none")
    steps = [entry for entry in entries if entry.kind == "step-result"]
    probes = [entry for entry in entries if entry.kind == "probe-result"]
    yield f"steps done                {len(steps)}, probes {len(probes)}"
    if answer.decoys:
        yield "decoys:"
        renamer = Renamer(names)
        for decoy in answer.decoys:
            yield f"  - {renamer.text(decoy)}"
    for word, title in (
        ("did", "what the people of the story did"),
        ("took", "how long it took them"),
    ):
        if answer.debrief.get(word):
            yield f"{title}: {answer.debrief[word]}"
