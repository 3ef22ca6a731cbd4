"""Scores what `stanch match` answers to texts, and `stanch triage` to recorded clusters: what was
right, and what was wrong.

python -m bench answers [FILE.jsonl ...] [--folder DIR] [--clusters] [--wrong]

Each line of a file is `{"text", "expected": [ids]}`; an empty list means that no runbook fits.
Without files it reads the sets under tests/runbooks. fresh, heldout and symptoms were labelled for
stories, before there were guides; `"guides": [ids]` beside the given label names those that fit.
`--folder` prints the first answer for each `*.txt` of a folder. `--clusters` scores those of the
drills and their twins without the fault, by state alone and with the logs of what fails (no
metrics); then one cluster for each tail of a log in tests/triage/logs/tails.yaml. Each file that is
YAML is objects as `kubectl get -o yaml` prints them. `--wrong` lists each wrong answer.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbooks.loader import Library
from runbooks.match import Match
from runbooks.matcher import Matcher

if TYPE_CHECKING:
    from drills.scenario.model import Scenario
    from tests.drill_gates.ground import Seen

SETS = Path(__file__).parents[1] / "tests" / "runbooks"
NONE = "(no runbook fits)"


class Score:
    """Counts of one set of texts. A confident answer is wrong when no runbook fits, or when none of
    the confident ones does; a wrong story sends the reader further astray than a wrong guide."""

    def __init__(self, stories: frozenset[str]) -> None:
        self._stories = stories
        self.counts: Counter[str] = Counter()
        self.families: dict[str, Counter[str]] = {}
        self.wrong: list[tuple[str, str, str]] = []

    def add(self, text: str, expected: Sequence[str], matches: Sequence[Match]) -> None:
        ids = [match.id for match in matches]
        sure = [match.id for match in matches if match.confident]
        right = not {*sure}.isdisjoint(expected)
        found = {
            "texts": True,
            "fitting": bool(expected),
            "first": bool(ids) and ids[0] in expected,
            "three": not {*ids[:3]}.isdisjoint(expected),
            "sure": right,
            "wrong": bool(sure) and not right,
            "wrong story": not right and not self._stories.isdisjoint(sure),
        }
        for counts in (self.counts, self.families.setdefault((*expected, NONE)[0], Counter())):
            counts.update(name for name, holds in found.items() if holds)
        if found["wrong"] or (expected and not found["first"]):
            wanted = " or ".join(expected) or NONE
            self.wrong.append((wanted, ", ".join(sure[:2] or [f"{ids[:1]}, not sure"]), text))

    def lines(self, name: str) -> Iterator[str]:
        counts = self.counts
        fitting, others = counts["fitting"], counts["texts"] - counts["fitting"]
        yield (
            f"{name}: {counts['texts']} texts; of {fitting} that fit: first {counts['first']} "
            f"({_share(counts['first'], fitting)}), within three {counts['three']} "
            f"({_share(counts['three'], fitting)}), sure {counts['sure']}"
        )
        none = self.families.get(NONE, Counter())
        yield (
            f"  confident and wrong: {counts['wrong']} ({_share(counts['wrong'], counts['texts'])})"
            f"; of {others} that fit nothing: {none['wrong']}, a story {none['wrong story']} "
            f"({_share(none['wrong story'], others)})"
        )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _families(score: Score) -> Iterator[str]:
    for family, counts in sorted(score.families.items()):
        if counts["wrong"] or counts["first"] < counts["fitting"]:
            yield (
                f"  {family}: {counts['texts']} texts, first {counts['first']}, within three "
                f"{counts['three']}, confident and wrong {counts['wrong']}"
            )


def _read(path: Path) -> list[Mapping[str, Any]]:
    return [json.loads(row) for row in path.read_text("utf-8").splitlines() if row.strip()]


def _clusters(*, wrong: bool) -> Iterator[str]:
    from drills.scenario.expand import objects
    from tests.drill_gates.ground import NOW, judge, judge_with_logs

    yield from _drills("clusters", lambda one: judge(objects(one, NOW)), wrong=wrong)
    yield from _drills("clusters with logs", judge_with_logs, wrong=wrong)
    yield from _tails(wrong=wrong)


def _drills(name: str, see: Callable[[Scenario], Seen], *, wrong: bool) -> Iterator[str]:
    """The clusters of the drills whose fault the state shows. The first line is right when its
    symptom has the mechanism that the drill names, or its first runbook is the drill's."""
    from drills.scenario.catalogue import guide_ids, ids, load

    counts: Counter[str] = Counter()
    said: list[str] = []
    for id_ in (*ids(), *guide_ids()):
        scenario = load(id_)
        answer, seen = scenario.answer, see(scenario)
        right = [
            (answer.told is not None and view.symptom.mechanism == answer.told.mechanism)
            or (bool(view.matches) and view.matches[0].id == answer.runbook)
            for view in seen.symptoms
        ]
        # by state alone the one signal is missing that tells a story from its fall-back
        fallback = {answer.told.fallback} - {""} if answer.told is not None else set()
        said += _count(counts, seen, id_, {answer.runbook, *fallback}, right)
    loud = [id_ for id_ in guide_ids() if see(load(id_).twin()).warnings]
    yield from _counted(name, counts)
    yield f"  twins without the fault: {len(guide_ids())}, not quiet: {', '.join(loud) or 'none'}"
    yield from said if wrong else ()


def _tails(*, wrong: bool) -> Iterator[str]:
    """A crash loop for each tail of a log. The first line is right when it quotes the sentence that
    decides, and its finding has the class; where none decides, when it quotes none."""
    from tests.drill_gates.ground import judge_with_logs
    from tests.triage.logs.tails import PAGES, scenario, tails

    counts: Counter[str] = Counter()
    said: list[str] = []
    for number, tail in enumerate(tails()):
        seen = judge_with_logs(scenario(tail, number))
        right = [
            any(tail.is_told_by(each) for each in view.symptom.findings) for view in seen.symptoms
        ]
        said += _count(counts, seen, f"{tail.class_} ({tail.program})", PAGES[tail.class_], right)
    yield from _counted("tails of logs", counts)
    yield from said if wrong else ()


def _count(
    counts: Counter[str], seen: Seen, wanted: str, pages: Collection[str], right: Sequence[bool]
) -> Iterator[str]:
    """Count what one cluster says, `right` for each symptom, and name what is wrong."""
    first = seen.symptoms[0] if seen.symptoms else None
    best = first.matches[0] if first and first.matches else None
    sure = {match.id for match in first.matches if match.confident} if first else set()
    found = {
        "clusters": True,
        "first": any(right[:1]),
        "three": any(right[:3]),
        "sure": not sure.isdisjoint(pages),
        "wrong": bool(sure) and sure.isdisjoint(pages),
    }
    counts.update(key for key, holds in found.items() if holds)
    if found["wrong"] or not found["first"]:
        title = first.symptom.title if first else "nothing"
        says = f"{best.id} {best.score:.2f}" if best else NONE
        yield f"  wanted {wanted}; said {says}: {title[:120]}"


def _counted(name: str, counts: Counter[str]) -> Iterator[str]:
    every = counts["clusters"]
    yield (
        f"{name}: {every}; first line {counts['first']} ({_share(counts['first'], every)}), "
        f"within three {counts['three']} ({_share(counts['three'], every)}), sure {counts['sure']}"
    )
    yield f"  confident and wrong on the first line: {counts['wrong']}"


def _snapshot(path: Path) -> str:
    """The first line for the objects of a YAML file."""
    import yaml

    from tests.drill_gates.ground import judge

    documents = [one for one in yaml.safe_load_all(path.read_text("utf-8")) if one]
    seen = judge(item for one in documents for item in one.get("items", [one]))
    if not seen.symptoms:
        return f"{path.name}: nothing"
    first = seen.symptoms[0]
    best = first.matches[0] if first.matches else None
    says = f"{best.id} {best.score:.2f}{'' if best.confident else ', not sure'}" if best else NONE
    return f"{path.name}: {says}: {first.symptom.title}"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench answers")
    parser.add_argument("files", nargs="*", type=Path, help="texts with the runbooks that fit")
    parser.add_argument("--folder", type=Path, help="print the first answer for each of its *.txt")
    parser.add_argument("--clusters", action="store_true", help="score the clusters of the drills")
    parser.add_argument("--wrong", action="store_true", help="list each wrong answer")
    chosen = parser.parse_args(arguments)
    library = Library()
    matcher = Matcher(library)
    stories = frozenset(runbook.id for runbook in library.runbooks if not runbook.guide)
    snapshots = [path for path in chosen.files if path.suffix in (".yaml", ".yml")]
    texts = [path for path in chosen.files if path not in snapshots]
    for path in snapshots:
        print(_snapshot(path))
    if chosen.clusters:
        print(*_clusters(wrong=chosen.wrong), sep="\n")
    for path in texts or (() if snapshots or chosen.clusters else sorted(SETS.glob("*.jsonl"))):
        score = Score(stories)
        for case in _read(path):
            given = case.get("expected") or ()
            given = [given] if isinstance(given, str) else given
            expected = [*given, *case.get("guides", ())]
            score.add(case["text"], expected, matcher.match_words(case["text"]))
        print(*score.lines(path.name), *_families(score), sep="\n")
        for wanted, said, text in score.wrong if chosen.wrong else ():
            print(f"  wanted {wanted}; said {said}: {' '.join(text.split())[:90]}")
    for path in sorted(chosen.folder.rglob("*.txt")) if chosen.folder else ():
        best = next(iter(matcher.match_words(path.read_text("utf-8", "replace"))), None)
        said = (
            f"{best.id} {best.score:.2f}{'' if best.confident else ', not sure'}" if best else NONE
        )
        print(f"{path.name}: {said}")
    return 0
