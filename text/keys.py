"""Keys in sentences: a sentence names an action, and the screens say which key it has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

Keys = Mapping[str, str]
"""The key of each action as people write it, by `SCREEN.ACTION`, such as `runbook.undo_step`, or by
`.ACTION` where it works anywhere. "" where another action hides it."""
NO_KEYS: Keys = MappingProxyType({})
"""The command line has no keys."""

ACTION = re.compile(r"\{([a-z]*\.[a-z_]+)\}")


def named(sentence: str, keys: Keys) -> str:
    """A sentence of this program with keys for its actions: `{runbook.undo_step} undoes it` reads
    `u undoes it`. "" where one of them has no key. Text from a cluster does not belong in it."""
    if not all(keys.get(action) for action in ACTION.findall(sentence)):
        return ""
    return ACTION.sub(lambda action: keys[action[1]], sentence)
