"""Runs the tests on real nodes that failed once more, alone. Any other failure stays a failure.

Real kubelets share two cores with all other tests and are sometimes slower than a test's patience.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.schedule import on_nodes

FAILED = Path(__file__).parents[1] / ".pytest_cache" / "v" / "cache" / "lastfailed"


def main() -> int:
    failed = sorted(json.loads(FAILED.read_text())) if FAILED.exists() else []
    again = [test for test in failed if on_nodes(test)]
    others = [test for test in failed if not on_nodes(test)]
    print(f"::: {len(again)} tests on real nodes failed and are tried once more, alone")
    for test in others:
        print(f"::: failed, not tried again: {test}")
    if not again:
        return 1
    code = subprocess.run([sys.executable, "-m", "pytest", "--verbose", *again], check=False)
    return 1 if others or code.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
