"""`stanch match`: which runbooks fit words, with the live evidence or without a cluster."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec.structs import replace

from cli import exits
from cli.connection import options_of, read_once
from cli.documents import words_document
from incident.view import View
from runbooks.match import Match

Rank = Callable[[str], Sequence[Match]]


def run(arguments: argparse.Namespace) -> int:
    if arguments.offline:
        return answer(texts(arguments.text), offline_rank(arguments), arguments)
    return asyncio.run(_with_cluster(arguments))


def offline_rank(arguments: argparse.Namespace) -> Rank:
    from incident.offline import runbooks as books

    library = books.load(arguments.runbook_folders)
    for problem in library.problems:
        print(f"stanch: {problem}", file=sys.stderr)
    return books.rank_words(library)


async def _with_cluster(arguments: argparse.Namespace) -> int:
    from incident.session import LiveInvestigation

    investigation = LiveInvestigation(replace(options_of(arguments, record=False), once=True))
    await investigation.start()
    try:
        view = await read_once(investigation, 20.0)
        code = answer(texts(arguments.text), investigation.match_words, arguments)
        return partial(view) if code == exits.ANSWERED else code
    finally:
        await investigation.stop()


def partial(view: View) -> int:
    """Words are matched without a cluster as well, but then the evidence is missing, and the exit
    code says so."""
    if view.report is None:
        print(
            "stanch: the words alone were matched: "
            f"{view.problem or view.api.reason or 'the cluster was not read'}",
            file=sys.stderr,
        )
        return exits.PARTIAL
    return exits.ANSWERED


def texts(words: Sequence[str]) -> Iterator[str]:
    """The texts to match: the words as one text, or each line of standard input for "-"."""
    if list(words) != ["-"]:
        yield " ".join(words)
        return
    for line in sys.stdin.buffer:
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if text.strip():
            yield text


def answer(given: Iterable[str], rank: Rank, arguments: argparse.Namespace) -> int:
    from cluster.kube.text import clean_line

    for text in given:
        document = words_document(clean_line(text, 20_000), list(rank(text))[: arguments.top])
        if arguments.output == "json":
            print(json.dumps(document, ensure_ascii=False), flush=True)
        else:
            _print(document)
    return exits.ANSWERED


def _print(document: dict[str, object]) -> None:
    print(document["text"])
    books = document["runbooks"]
    assert isinstance(books, list)
    if not document["confident"]:
        print("  no runbook fits with confidence" + ("; nearest:" if books else ""))
    for book in books:
        print(f"  {book['score']:.2f}  {book['id']}")
        for word in ("for", "missing", "against"):
            for reason in book[word][:3]:
                print(f"        {word:<8} {reason}")
