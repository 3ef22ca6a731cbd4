"""The grammar of the `stanch` command."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cli.exits import Refusal

EPILOG = """exit codes: 0 answered; 1 answered and something is critical (triage, drill);
2 wrong use; 3 cluster not reached; 4 answered in part (something was unavailable); 130 stopped"""
TIMELINE = (
    *("list", "show", "note", "new", "close", "reopen", "rename", "severity"),
    *("edit", "hide", "unhide", "pin", "unpin", "purge", "prune"),
    *("export", "import", "copy", "verify", "salvage", "handoff", "redact"),
)


class _Parser(argparse.ArgumentParser):
    """Takes no abbreviated options: a later release may have two with the same beginning."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **settings})


def parser(program: str = "stanch") -> argparse.ArgumentParser:
    """The whole grammar. Options of the connection work before and after the command's name."""
    top = _Parser(
        prog=program,
        description="Says what is wrong in a Kubernetes cluster, since when and why, and walks you "
        "through the runbook that fits.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="store_true", help="print the version and exit")
    pick = "choose the context or the incident first, without asking any cluster"
    top.add_argument("--pick", default="", choices=["context", "incident"], help=pick)
    _connection(top, defaults=True)
    after = _Parser(add_help=False)
    _connection(after, defaults=False)
    commands = top.add_subparsers(
        dest="command", metavar="COMMAND", title="commands (none: the screens)"
    )
    several: dict[str, Any] = {"action": "append", "default": []}
    pairs: dict[str, Any] = {"nargs": "*", "default": [], "metavar": "KEY=VALUE"}

    def command(name: str, about: str, *, output: bool = True) -> Callable[..., object]:
        """Adds a command; returns the function that adds its arguments."""
        made = commands.add_parser(name, parents=[after], help=about)
        if output:
            forms = ["text", "json"]
            made.add_argument(
                "-o", "--output", default="text", choices=forms, help="format of the output"
            )
        return made.add_argument

    add = command("triage", "print what is wrong now")
    most = "longest wait for the first full reading, while this process runs (20)"
    add("--wait", type=float, default=20.0, metavar="SECONDS", help=most)
    add(
        "--all", action="store_true", dest="whole", help="print every symptom with all its findings"
    )

    add = command("match", "rank runbooks for a text: an alert, a page, a log, a sentence")
    add("--offline", action="store_true", help="rank by the words alone, without a cluster")
    add(
        "--top", type=int, default=5, metavar="N", help="print at most N runbooks for each text (5)"
    )
    add("text", nargs="+", help="the words, a file, or - for standard input: one paste is one text")
    add(
        "--lines",
        action="store_true",
        help="rank each line of the file or standard input by itself",
    )

    add = command("probe", "measure: connectivity and other probes; `sweep` removes leftovers")
    add("name", help="connectivity, sweep, or another probe; `list` names them all")
    add("words", help="arguments of the probe, after its name", **pairs)
    add("--from", dest="source", metavar="NS[/POD]", help="source (repeatable)", **several)
    add(
        "--to",
        dest="target",
        metavar="NS[/SERVICE|/POD]",
        help="destination (repeatable)",
        **several,
    )
    port = "destination port; default: that of the Service or the container"
    add("--port", type=int, help=port)
    image = "image of the debug pod; default: one that the node already has"
    add("--image", default="", help=image)
    anywhere = "an argument of the probe, at any place (repeatable)"
    add("--set", dest="settings", metavar="KEY=VALUE", help=anywhere, **several)
    add("--yes", action="store_true", help="agree to the plan without being asked (probes only)")
    add("--plan", action="store_true", help="print the plan and stop")

    add = command("act", "make one change through the gate; needs --write")
    about = "name of the action; `list [OBJECT]` names those that fit, `settle` unknown outcomes"
    add("name", help=about)
    add("words", help="arguments of the action, after its name", **pairs)
    add("--plan", action="store_true", help="print the plan and stop")
    harmless = "confirm an action that affects no running pod, outside of production"
    add("--yes", action="store_true", help=harmless)

    add = command("timeline", f"the record: {', '.join(TIMELINE)}")
    add("verb", nargs="?", default="list", choices=TIMELINE)
    words = (
        "incident id, file, or the words of a note: -5m TEXT, @14:30 TEXT; !acknowledged, "
        "!mitigated, !resolved, hypothesis:, ruled out:, factor:, todo: or ? in front mark it"
    )
    add("argument", nargs="*", help=words)
    formats = ["", "markdown", "jsonl", "json", "csv", "html", "otlp"]
    add("--format", default="", choices=formats, help="format of an export (markdown)")
    template = (
        "template of a draft: stanch, python-discord, sre, cmr, or a Markdown file of your own"
    )
    add("--template", default="stanch", metavar="NAME|FILE", help=template)
    names = "how an export names people (role)"
    add("--names", default="role", choices=["role", "initials", "name"], help=names)
    zone = "time zone of a second column in an export, such as Europe/Berlin"
    add("--zone", dest="time_zone", default="", metavar="ZONE", help=zone)
    target = "file of an export, a copy or a salvage"
    add("--to", dest="target_path", type=Path, metavar="PATH", help=target)
    anchor = "verify: compare the record with an export or with its hash"
    add("--anchor", default="", metavar="FILE|HASH", help=anchor)
    chosen = "show: words, kind:note, who:ana, in:draft, around:14:30, or the name of a view"
    add("--filter", dest="words", default="", metavar="WORDS", help=chosen)
    agreed = "prune: remove the listed incidents instead of only listing them"
    add("--yes", action="store_true", help=agreed)

    add = command("runbooks", "list, show, lint, path")
    add("verb", nargs="?", default="list", choices=["list", "show", "lint", "path"])
    add("argument", nargs="*", help="runbook id or file")

    add = command("run", "step through a runbook on a plain terminal", output=False)
    add("runbook", help="runbook id")
    symptom = "id of the symptom that fills the parameters (default: the best fit)"
    add("--symptom", default="", help=symptom)

    add = command("drill", "rehearse a failure story on an embedded cluster")
    add("id", nargs="?", default="", help="id of the drill, or list; default: the first story")
    add("--list", action="store_true", dest="listing", help="list all drills, as `drill list`")
    add(
        "--all", action="store_true", dest="whole", help="print every symptom with all its findings"
    )
    serve = "print the path of a kubeconfig and serve until SIGTERM"
    add("--serve", action="store_true", help=serve)
    speed = "speed of the drill's script: 2 is twice the clock (1)"
    add("--speed", type=float, default=1.0, help=speed)
    add("--seed", type=int, default=0, help="seed of the shuffle and of invented names")
    add("--blind", action="store_true", help="pick a drill, hide its id and shuffle its names")
    add("--port", type=int, default=0, help="with --serve: the port (default: a free one)")

    add = command("config", "print each setting and the source of its value; the keys")
    add("verb", choices=["show", "keys"])
    command("doctor", "check that this machine and this account have what stanch needs")

    add = command("completion", "print the completion script of a shell", output=False)
    shells = ["bash", "zsh", "fish", "names"]
    add("shell", choices=shells, help="bash, zsh or fish; the scripts call `names`")
    add(
        "kind", nargs="?", default="", help="with names: their kind, such as contexts or namespaces"
    )
    return top


def parse(grammar: argparse.ArgumentParser, given: Sequence[str] | None) -> argparse.Namespace:
    """Parses a command line. Words may also stand behind an option (`timeline note --incident ID
    TEXT`): argparse ends a list of words at the first option. Ends the program on wrong use."""
    parsed, behind = grammar.parse_known_args(given)
    if not behind:
        return parsed
    lists = (
        each for each in ("argument", "words") if isinstance(getattr(parsed, each, None), list)
    )
    name = next(lists, "")
    if not name or any(map(_is_option, behind)):
        grammar.error(f"unrecognized arguments: {' '.join(behind)}")
    setattr(parsed, name, [*getattr(parsed, name), *behind])
    return parsed


def _is_option(word: str) -> bool:
    """Whether argparse reads a word as an option: `-x`, and not `-5m users report 502s`."""
    return word.startswith("-") and " " not in word and word != "-"


def _connection(parser: argparse.ArgumentParser, *, defaults: bool) -> None:
    """Options of the connection. After the command's name they have no default, so that they do not
    override those before it."""
    group = parser.add_argument_group("cluster")

    def add(*flags: str, default: object, **settings: Any) -> None:
        given = default if defaults else argparse.SUPPRESS
        group.add_argument(*flags, default=given, **settings)

    config = "kubeconfig (default: $KUBECONFIG, else ~/.kube/config)"
    add("--kubeconfig", default="", metavar="PATH", help=config)
    add(
        "--context",
        default="",
        metavar="C",
        help="context of the kubeconfig (default: the current one)",
    )
    several: dict[str, Any] = {"action": "append", "default": []}
    only = "read only this namespace (repeatable)"
    add("-n", "--namespace", dest="namespaces", metavar="N", help=only, **several)
    write = "allow actions, each behind its confirmation"
    add("--write", action="store_true", default=False, help=write)
    incident = 'incident to continue; "new" begins one'
    add("--incident", default="", metavar="ID", help=incident)
    folder = "folder with runbooks of your own (repeatable)"
    add("--runbooks", dest="runbook_folders", type=Path, metavar="DIR", help=folder, **several)


def settings(words: Sequence[str], where: str) -> dict[str, str]:
    """The words KEY=VALUE of a probe or an action. Raises `Refusal` for one without a value;
    `where` says where to write it."""
    given: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise Refusal(f"the argument {word!r} has no value; write NAME=VALUE {where}")
        given[name] = value
    return given
