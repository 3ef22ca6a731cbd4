"""`stanch match`: which runbooks fit a text, with the live evidence or without a cluster."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from cli import exits
from cli.connection import opened, options_of, why_unread
from cli.documents import time_text, words_document
from cli.printing import print_document, print_lines
from cluster.kube.text import clean, clean_line
from runbooks.paste import PASTE_LIMIT, read_paste
from text.matches import paste_lines

if TYPE_CHECKING:
    from incident.offline.runbooks import Rank


def run(arguments: argparse.Namespace) -> int:
    if arguments.offline:
        answer(texts(arguments), offline_rank(arguments), arguments)
        return exits.ANSWERED
    return asyncio.run(_with_cluster(arguments))


def offline_rank(arguments: argparse.Namespace) -> Rank:
    from incident.offline import runbooks as books

    library = books.load(arguments.runbook_folders)
    for problem in library.problems:
        print(f"stanch: {problem}", file=sys.stderr)
    return books.rank_words(library)


async def _with_cluster(arguments: argparse.Namespace) -> int:
    async with opened(replace(options_of(arguments, record=False), once=True)) as investigation:
        view = investigation.view
        answer(texts(arguments), investigation.match_words, arguments)
    if view.report is not None:
        return exits.ANSWERED
    print(f"stanch: the words alone were matched: {why_unread(view)}", file=sys.stderr)
    return exits.PARTIAL


def texts(arguments: argparse.Namespace) -> Iterator[str]:
    """The texts to match: the words as one text, a file, or standard input for "-"; with `--lines`
    one text for each line. Raises Refusal when the file cannot be read."""
    words = arguments.text
    if words != ["-"] and not (len(words) == 1 and _is_file(words[0])):
        yield " ".join(words)
        return
    with ExitStack() as stack:
        source = (
            sys.stdin.buffer if words == ["-"] else stack.enter_context(Path(words[0]).open("rb"))
        )
        if not arguments.lines:
            yield source.read(PASTE_LIMIT * 4).decode("utf-8", "replace")
            return
        for line in source:
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            if text.strip():
                yield text


def _is_file(word: str) -> bool:
    try:
        return Path(word).is_file()
    except OSError:  # Too long for a file name, so it is a text.
        return False


def answer(given: Iterable[str], rank: Rank, arguments: argparse.Namespace) -> None:
    """Rank and print each text as it arrives."""
    for raw in given:
        text = clean(raw, PASTE_LIMIT)
        paste, matches = read_paste(text), list(rank(text))[: arguments.top]
        if arguments.output == "json":
            document = {
                **words_document(clean_line(text, 20_000), matches),
                "names": list(paste.names),
                "objects": [ref._asdict() for ref in paste.objects],
                "marks": [{"at": time_text(mark.at), "text": mark.text} for mark in paste.marks],
            }
            print_document(document, None)
        else:
            print_lines(paste_lines(text, paste, matches))
