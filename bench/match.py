"""What one keystroke of a search costs at 300 runbooks, in CPU time, as ratios to the budget of 16
ms and to RapidFuzz alone.

python -m bench.match [RUNBOOKS]
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

from rapidfuzz import fuzz, process

from runbooks.documents import Document, document, outside
from runbooks.loader import Library
from runbooks.word_index import WordIndex

BUDGET = 0.016
TEXTS = Path(__file__).parents[1] / "tests" / "runbooks" / "symptoms.jsonl"


def documents(count: int) -> list[Document]:
    """Our own runbooks, repeated under other ids with shuffled phrases and words of their own, so
    that the vocabulary grows."""
    own = [document(runbook) for runbook in Library().runbooks]
    noise = random.Random(7)
    made = list(own)
    while len(made) < count:
        base = own[len(made) % len(own)]
        words = [f"team{len(made)}word{number}" for number in range(5)]
        phrases = tuple(
            (field, " ".join([*noise.sample(text.split(), len(text.split())), noise.choice(words)]))
            for field, text in base.phrases
        )
        made.append(replace(base, id=f"{base.id}-{len(made)}", phrases=phrases))
    return [*made[:count], *outside()]


def keystrokes(limit: int = 1500) -> list[str]:
    texts = [json.loads(line)["text"] for line in TEXTS.read_text("utf-8").splitlines()]
    typed = [text[:end] for text in texts for end in range(3, min(len(text), 60), 4)] + texts
    return random.Random(7).sample(typed, min(limit, len(typed)))


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    begin = time.process_time()
    index = WordIndex(documents(count))
    built = time.process_time() - begin
    typed = keystrokes()
    times = []
    for text in typed:
        begin = time.process_time()  # CPU seconds: a busy machine shall not decide
        index.rank(text)
        times.append(time.process_time() - begin)
    phrases = [text for item in index.documents for _, text in item.phrases]
    begin = time.process_time()
    for text in typed[:50]:
        process.extract(text, phrases, scorer=fuzz.token_set_ratio, limit=10)
    alone = (time.process_time() - begin) / 50
    times.sort()
    p50, p99 = statistics.median(times), times[int(len(times) * 0.99)]
    print(
        f"{count} runbooks, {len(phrases):,} phrases, {len(typed):,} keystrokes; index built in "
        f"{built:.2f} s"
    )
    print(f"p50 {p50 * 1e3:.1f} ms  p99 {p99 * 1e3:.1f} ms  worst {times[-1] * 1e3:.1f} ms")
    print(f"ratio p99 / 16 ms budget: {p99 / BUDGET:.2f}")
    print(f"ratio p50 / token_set_ratio over all phrases: {p50 / alone:.2f}")


if __name__ == "__main__":
    main()
