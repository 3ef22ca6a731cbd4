"""`stanch drill`: rehearse a failure story on the embedded cluster."""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from cli import exits
from cli.connection import on_terminal, options_of
from cli.exits import Refusal
from cli.printing import print_document, print_lines
from drills.scenario import catalogue
from drills.scenario.model import Scenario
from drills.scenario.renaming import Renamer
from text.lines import BLANK, field

if TYPE_CHECKING:
    from incident.api import Investigation
    from incident.view import View


def run(arguments: argparse.Namespace) -> int:
    if arguments.listing or arguments.id == "list":  # the word of the other commands
        return list_drills(arguments.output)
    drill = choose(arguments)
    from drills.server import run as runner

    seed = arguments.seed or (random.SystemRandom().randrange(1, 1 << 30) if arguments.blind else 0)
    scenario = catalogue.load(drill)
    if arguments.blind:
        from drills.scenario.renaming import shuffle

        scenario = shuffle(scenario, seed)
    if arguments.serve:
        return runner.serve_forever(scenario, port=arguments.port, speed=arguments.speed, seed=seed)
    with tempfile.TemporaryDirectory(prefix="stanch-drill-") as folder:
        kubeconfig = Path(folder) / "kubeconfig"
        with runner.serve_in_thread(scenario, speed=arguments.speed, seed=seed) as server:
            server.write_kubeconfig(kubeconfig)
            options = options_of(arguments, record=False)
            options = replace(
                options,
                kubeconfig=str(kubeconfig),
                context="",
                drill="blind" if arguments.blind else drill,
                state=options.state / "drills",
                page=page_of(scenario, server.state.world.renames),
            )
            if on_terminal() and arguments.output == "text":
                from cli.screens import open_screens

                code = open_screens(
                    replace(options, record=True, incident=options.incident or "new"),
                    follow=partial(follow_by_hand, made=server.made_by_hand),
                )
                if arguments.blind:
                    from cli.debrief import print_debrief

                    print_debrief(scenario, options, server.state.world.renames)
                return code
            from cli.triage import exit_code, print_answer, read

            answer = read(options, 20.0)
            if arguments.output == "text":
                print_lines([field("paged", options.page), BLANK])
            print_answer(answer, arguments.output, whole=arguments.whole)
            return exit_code(answer.view)


def follow_by_hand(investigation: Investigation, made: Callable[[str], None]) -> None:
    """Call `made` with the id of each step whose change a person records as made by hand from now
    on: such a change is outside the cluster of the drill."""
    seen: set[str] = set()
    counted = -1

    def look(view: View) -> None:
        nonlocal counted
        if view.record.entries == counted:
            return
        first, counted = counted < 0, view.record.entries
        for entry in investigation.entries():
            by_hand = entry.kind == "action-result" and entry.data.get("by_hand")
            if by_hand and entry.id not in seen:
                seen.add(entry.id)
                if not first:
                    made(entry.step_id)

    investigation.subscribe(look)


def page_of(scenario: Scenario, names: Mapping[str, str]) -> str:
    """What the on-call engineer of the drill knows at the start, under the drill's `names`."""
    told = f"{scenario.title}: {' '.join(scenario.description.split())}".rstrip(": ")
    return Renamer(names).text(told)


def choose(arguments: argparse.Namespace) -> str:
    """The id to play. Raises `Refusal` with the nearest ids for an unknown one."""
    known = catalogue.ids()
    if arguments.blind:
        if arguments.id:
            raise Refusal("--blind picks the drill itself; leave the id out")
        seed = arguments.seed
        dice = random.Random(seed) if seed else random.SystemRandom()  # noqa: S311  # a rehearsal
        return dice.choice(known)
    wanted = str(arguments.id or known[0])
    known += catalogue.guide_ids()
    if wanted not in known and not Path(wanted).is_file():
        from rapidfuzz import process

        near = ", ".join(name for name, _, _ in process.extract(wanted, known, limit=3))
        raise Refusal(
            f"there is no drill {wanted!r}; nearest: {near}; `stanch drill --list` names them all"
        )
    return wanted


def list_drills(output: str) -> int:
    """Print the drills of the stories, then those of the guides."""
    stories, guides = (
        catalogue.describe(names) for names in (catalogue.ids(), catalogue.guide_ids())
    )
    if output == "json":
        rows = {"schema": "stanch.drills/1", "drills": stories, "guides": guides}
        print_document(rows)
        return exits.ANSWERED
    width = max((len(row["id"]) for row in [*stories, *guides]), default=0)
    for row in stories:
        print(f"{row['id']:<{width}}  {row['title']}")
    print("\nguides: small drills of everyday faults")
    for row in guides:
        print(f"{row['id']:<{width}}  {row['title']}")
    return exits.ANSWERED
