"""The grammar of the `stanch` command."""

from __future__ import annotations

import argparse
from pathlib import Path

EPILOG = """exit codes: 0 answered; 1 answered and something is critical (triage); 2 wrong use;
3 cluster not reached; 4 answered in part, something was unavailable; 130 interrupted"""


def parser(program: str = "stanch") -> argparse.ArgumentParser:
    """The whole grammar; options of the connection are understood before and after the command's
    name."""
    top = argparse.ArgumentParser(
        prog=program,
        description=(
            "Says what is wrong in a Kubernetes cluster, since when and why, and walks you "
            "through the runbook that fits."
        ),
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="store_true", help="print the version and exit")
    _connection(top, defaults=True)
    after = argparse.ArgumentParser(add_help=False)
    _connection(after, defaults=False)
    commands = top.add_subparsers(
        dest="command", metavar="COMMAND", title="commands (none: the screens)"
    )

    triage = commands.add_parser(
        "triage", parents=[after], help="what is wrong now, as text or JSON"
    )
    _output(triage)
    triage.add_argument(
        "--wait",
        type=float,
        default=20.0,
        metavar="SECONDS",
        help="at most so long for the first full reading (20)",
    )

    match = commands.add_parser(
        "match",
        parents=[after],
        help="which runbooks fit a text: an alert, a page, a log, a sentence",
    )
    _output(match)
    match.add_argument("--offline", action="store_true", help="the words alone, without a cluster")
    match.add_argument(
        "--top", type=int, default=5, metavar="N", help="at most N runbooks a text (5)"
    )
    match.add_argument(
        "text", nargs="+", help="the words, a file, or - for standard input: one paste is one text"
    )
    match.add_argument(
        "--lines", action="store_true", help="each line of the file or of standard input is a text"
    )

    probe = commands.add_parser(
        "probe",
        parents=[after],
        help="measure: connectivity and the other probes; `sweep` removes leftovers",
    )
    _output(probe)
    probe.add_argument("name", help="connectivity, sweep, or another probe; `list` names them all")
    probe.add_argument(
        "words",
        nargs="*",
        default=[],
        metavar="KEY=VALUE",
        help="arguments of the probe, right behind its name",
    )
    probe.add_argument(
        "--from",
        dest="source",
        action="append",
        default=[],
        metavar="NS[/POD]",
        help="where from (repeatable)",
    )
    probe.add_argument(
        "--to",
        dest="target",
        action="append",
        default=[],
        metavar="NS[/SERVICE|/POD]",
        help="where to (repeatable)",
    )
    probe.add_argument(
        "--port",
        type=int,
        help="destination port; found from the Service or the containers when not given",
    )
    probe.add_argument(
        "--image",
        default="",
        help="image of the debug pod; chosen from what the node already has when not given",
    )
    probe.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="the same, anywhere (repeatable)",
    )
    probe.add_argument(
        "--yes",
        action="store_true",
        help="agree to the plan without being asked (probes only)",
    )
    probe.add_argument("--plan", action="store_true", help="print what would be done, and stop")

    act = commands.add_parser(
        "act", parents=[after], help="one change through the gate; needs --write"
    )
    _output(act)
    act.add_argument("name", help="name of the action; `list` names them all")
    act.add_argument(
        "words",
        nargs="*",
        default=[],
        metavar="KEY=VALUE",
        help="arguments of the action, right behind its name",
    )
    act.add_argument("--plan", action="store_true", help="print what would be done, and stop")
    act.add_argument(
        "--yes",
        action="store_true",
        help="confirm an action that affects no running pod, outside of production",
    )

    timeline = commands.add_parser(
        "timeline",
        parents=[after],
        help="the record: list, show, note, new, close, reopen, rename, severity, export, import, "
        "verify, salvage, handoff",
    )
    _output(timeline)
    timeline.add_argument(
        "verb",
        nargs="?",
        default="list",
        choices=[
            *("list", "show", "note", "new", "close", "reopen", "rename", "severity"),
            *("export", "import", "verify", "salvage", "handoff"),
        ],
    )
    timeline.add_argument("argument", nargs="*", help="incident id, file, or the words of a note")
    timeline.add_argument(
        "--format",
        default="",
        choices=["", "markdown", "jsonl", "json", "csv", "html"],
        help="of an export (markdown)",
    )
    timeline.add_argument(
        "--to",
        dest="target_path",
        type=Path,
        metavar="PATH",
        help="where an export or salvage is written",
    )
    timeline.add_argument(
        "--anchor",
        default="",
        metavar="FILE|HASH",
        help="verify: an export, or the hash that one names, to compare the record with",
    )

    books = commands.add_parser("runbooks", parents=[after], help="list, show, lint, path")
    _output(books)
    books.add_argument("verb", nargs="?", default="list", choices=["list", "show", "lint", "path"])
    books.add_argument("argument", nargs="*", help="runbook id or file")

    run = commands.add_parser(
        "run", parents=[after], help="the steps of a runbook on a plain terminal"
    )
    run.add_argument("runbook", help="runbook id")
    run.add_argument(
        "--symptom",
        default="",
        help="symptom id that fills the parameters (the best fitting one when not given)",
    )

    drill = commands.add_parser(
        "drill", parents=[after], help="rehearse a failure story on an embedded cluster"
    )
    _output(drill)
    drill.add_argument(
        "id", nargs="?", default="", help="which one; the first story when not given"
    )
    drill.add_argument("--list", action="store_true", dest="listing", help="name them all")
    drill.add_argument(
        "--serve",
        action="store_true",
        help="print the path of a kubeconfig and serve until SIGTERM",
    )
    drill.add_argument(
        "--speed",
        type=float,
        default=1.0,
        help="how much faster than the clock the script runs (1)",
    )
    drill.add_argument(
        "--seed", type=int, default=0, help="of the shuffling and of names that are made up"
    )
    drill.add_argument(
        "--blind", action="store_true", help="pick one without telling, with shuffled names"
    )
    drill.add_argument("--port", type=int, default=0, help="with --serve: the port (a free one)")

    doctor = commands.add_parser(
        "doctor", parents=[after], help="can this machine and this account do what stanch needs?"
    )
    _output(doctor)

    completion = commands.add_parser(
        "completion", parents=[after], help="completion script for a shell"
    )
    completion.add_argument(
        "shell", choices=["bash", "zsh", "fish", "names"], help="names: what the scripts ask for"
    )
    completion.add_argument(
        "kind", nargs="?", default="", help="with names: contexts, namespaces, incidents, …"
    )
    return top


def _connection(parser: argparse.ArgumentParser, *, defaults: bool) -> None:
    """Options of the connection. Behind the command's name they have no default, so that they
    cannot undo what stood before it."""

    def default(value: object) -> object:
        return value if defaults else argparse.SUPPRESS

    group = parser.add_argument_group("cluster")
    group.add_argument(
        "--kubeconfig",
        default=default(""),
        metavar="PATH",
        help="instead of $KUBECONFIG or ~/.kube/config",
    )
    group.add_argument(
        "--context", default=default(""), metavar="C", help="context of the kubeconfig"
    )
    group.add_argument(
        "-n",
        "--namespace",
        dest="namespaces",
        action="append",
        default=default([]),
        metavar="N",
        help="only this one (repeatable)",
    )
    group.add_argument(
        "--write",
        action="store_true",
        default=default(False),
        help="allow actions, each behind its confirmation",
    )
    group.add_argument(
        "--incident",
        default=default(""),
        metavar="ID",
        help='incident to go on with; "new" begins one',
    )
    group.add_argument(
        "--runbooks",
        dest="runbook_folders",
        action="append",
        type=Path,
        default=default([]),
        metavar="DIR",
    )


def _output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", default="text", choices=["text", "json"], help="text or json"
    )
