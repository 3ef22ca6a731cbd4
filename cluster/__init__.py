"""Live state of one cluster: reading, watching, health, and the one door for writing. Knows nothing
of the other folders."""

from __future__ import annotations

import sys
from types import ModuleType

if "httpx" not in sys.modules:
    # httpx imports the parts of its own command line (click, rich, pygments) with itself: 40 of its
    # 100 ms. Nobody here uses them, and a first answer at three in the morning does not wait for
    # them.
    _command_line = ModuleType("httpx._main")
    _command_line.main = lambda: None  # type: ignore[attr-defined]  # the one name that httpx takes from it
    sys.modules.setdefault("httpx._main", _command_line)
