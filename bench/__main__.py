"""`python -m bench`: start a real control plane with 200 nodes and 10,000 pods, measure stanch on
it beside kubectl, print ratios. `python -m bench NAME` for one measure; those of broken clusters
(`bench.broken`) need no control plane."""

from __future__ import annotations

import argparse
import compileall
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench import answers, beside, broken, changes, keys, measures
from bench.measures import BenchRun, kubectl
from bench.record import record
from bench.report import Figure, document, text
from tests.rungs.controlplane import control_plane
from tests.rungs.population import population
from tests.rungs.programs.processes import RungMissing, StartFailed

PACKAGES = (
    "actions",
    "assets",
    "cli",
    "cluster",
    "drills",
    "incident",
    "probes",
    "runbooks",
    "text",
    "timeline",
    "triage",
    "tui",
)
ALONE = {
    "record": record,
    **beside.ALONE,
    **keys.ALONE,
    **changes.MEASURES,
    **broken.MEASURES,
}
"""Measures that bring their own server: a control plane, the embedded cluster, or rendered
answers."""
MEASURES = {**measures.MEASURES, **beside.MEASURES, **keys.MEASURES}
"""Measures on the control plane that this module starts."""
Measure = Callable[[BenchRun], list[Figure]]
QUIET = 8.0  # seconds that controllers and kwok get to have been through everything


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 every goal reached, 1 a goal missed, 2 wrong use, 3 this machine cannot run the
    cluster."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["answers"]:
        return answers.main(given[1:])
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "measures",
        nargs="*",
        metavar="MEASURE",
        help=f"which of {', '.join((*ALONE, *MEASURES))}; by default `record` and those of a real "
        "control plane",
    )
    parser.add_argument("--nodes", type=int, default=200)
    parser.add_argument("--pods", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5, help="of each command; medians are printed")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    options = parser.parse_args(arguments)
    known = {**ALONE, **MEASURES}
    if unknown := set(options.measures) - set(known):
        parser.error(
            f"no measure is called {', '.join(sorted(unknown))}; there are {', '.join(known)}"
        )
    wanted = options.measures or ["record", *MEASURES]
    rows: list[Figure] = []
    # What is measured is what people install, and pip compiles that; a checkout may be uncompiled,
    # and would be compiled in every run.
    for package in PACKAGES:
        compileall.compile_dir(Path(__file__).parents[1] / package, quiet=1)
    with tempfile.TemporaryDirectory(prefix="stanch-bench-") as scratch:
        place = BenchRun(Path(), Path(scratch), options.pods, options.runs)
        rows += _all(place, {name: ALONE[name] for name in wanted if name in ALONE})
    try:
        if on_cluster := {name: MEASURES[name] for name in wanted if name in MEASURES}:
            filled = population(nodes=options.nodes, pods=options.pods)
            with (
                control_plane(objects=filled, workloads=True) as cluster,
                tempfile.TemporaryDirectory(prefix="stanch-bench-") as scratch,
            ):
                time.sleep(QUIET)
                place = BenchRun(cluster.kubeconfig, Path(scratch), options.pods, options.runs)
                kubectl(place)  # the first one warms the server's caches
                rows += _all(place, on_cluster)
    except (RungMissing, StartFailed) as problem:
        print(problem, file=sys.stderr)
        return 3
    print(broken.versions(), file=sys.stderr)
    print(document(rows) if options.output == "json" else text(rows))
    return 1 if any(row.verdict == "MISSED" for row in rows) else 0


def _all(place: BenchRun, measures: Mapping[str, Measure]) -> list[Figure]:
    rows: list[Figure] = []
    for name, measure in measures.items():
        print(f"{name} ...", file=sys.stderr, flush=True)
        rows += _measured(name, measure, place)
    return rows


def _measured(name: str, measure: Measure, place: BenchRun) -> list[Figure]:
    """The rows of one measure; a measure that fails is a missed goal and does not stop the
    others."""
    try:
        return measure(place)
    except (
        subprocess.SubprocessError,
        TimeoutError,
        EOFError,
        RuntimeError,
        ValueError,
        KeyError,
        OSError,
    ) as problem:
        return [
            Figure(
                f"{name}: could not be measured",
                1,
                "failures",
                0,
                note=f"{type(problem).__name__}: {problem}"[:300],
            )
        ]


if __name__ == "__main__":
    sys.exit(main())
