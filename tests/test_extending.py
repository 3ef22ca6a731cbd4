"""Every recipe of docs/extending.md, followed in a copy of the product with the code that stands
there, and the number of files that it touches."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.test_layout import FOLDERS

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "extending.md").read_text("utf-8")
MOST_FILES = 3
LAST_ROW = "\n)\n"


def block(name: str) -> str:
    """The fenced block of that name."""
    found = re.search(rf"^```\w+ {name}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/extending.md has no block {name}"
    return found[1]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the product to add to."""
    copy = tmp_path_factory.mktemp("product")
    for folder in (*FOLDERS, "assets", "tests"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "tests" / "conftest.py").unlink()  # It prepares drills and rungs for every test.
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


def write(product: Path, path: str, text: str) -> None:
    target = product / path
    assert not target.exists(), "a recipe adds a file of its own"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, "utf-8")


def insert(product: Path, path: str, before: str, text: str) -> None:
    """Adds rows before the first line that begins with `before`."""
    target = product / path
    head, found, tail = target.read_text("utf-8").partition(f"\n{before}")
    assert found, f"{path} has no line {before!r}"
    target.write_text(f"{head}\n{text.rstrip()}{found}{tail}", "utf-8")


def run(product: Path, program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=product,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout


def test_a_recipe_touches_at_most_three_files() -> None:
    for section in GUIDE.split("\n## ")[1:]:
        title, _, body = section.partition("\n")
        rows = [row for row in body.splitlines() if row.startswith("| ") and "| file |" not in row]
        assert 2 <= len(rows) <= MOST_FILES, title


def passed(product: Path, *arguments: str) -> int:
    """Runs tests of the copy, and says how many passed; none fails."""
    code = f"import sys, pytest; sys.exit(pytest.main(['-q', *{arguments!r}]))"
    count = re.search(r"(\d+) passed", run(product, code))
    assert count, arguments
    return int(count[1])


def formed(product: Path, *paths: str) -> None:
    """The code of a recipe has the style of the project."""
    for command in (["check"], ["format", "--check"]):
        ruff = [str(Path(sys.executable).with_name("ruff")), *command, "--quiet", *paths]
        done = subprocess.run(ruff, cwd=product, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_a_detector(product: Path) -> None:
    detector, test = "triage/detectors/workloads/teams.py", "tests/triage/detectors/test_teams.py"
    write(product, detector, block("detector"))
    insert(product, "triage/facts/rules/workloads.py", "workload-degraded (", block("rule"))
    write(product, test, block("detector-test"))
    formed(product, detector, test)
    assert passed(product, test, "tests/triage/test_registry.py") > 1


def test_a_probe(product: Path) -> None:
    probe, test = "probes/questions/node_count.py", "tests/probes/questions/test_node_count.py"
    write(product, probe, block("probe"))
    write(product, test, block("probe-test"))
    formed(product, probe, test)
    assert passed(product, test, "tests/probes/test_catalogue.py") > 1


def test_an_action(product: Path) -> None:
    action, scenarios = "actions/changes/hold_rollout.py", "tests/actions/scenarios.py"
    write(product, action, block("action"))
    insert(product, scenarios, '    "uncordon"', block("scenario"))
    formed(product, action, scenarios)
    cases = passed(product, "tests/actions/test_cases.py", "-k", "hold-rollout or has_a_scenario")
    assert cases > 20, "every case of the gate is played"


def test_a_screen(product: Path) -> None:
    write(product, "text/capacity.py", block("text"))
    write(product, "tui/screens/capacity.py", block("screen"))
    insert(product, "tui/keys.py", '    KeyBinding("contexts"', block("key"))
    formed(product, "text/capacity.py", "tui/screens/capacity.py", "tui/keys.py")
    told = run(
        product,
        """
        import asyncio
        from tests.tui.fake import FakeInvestigation
        from text.capacity import capacity_lines
        from tui.app import StanchApp
        async def main():
            fake = FakeInvestigation("story", False)
            app = StanchApp(fake, fake.clock, {})
            async with app.run_test(size=(100, 30)) as pilot:
                await pilot.press("ctrl+k")
                await pilot.pause()
                print(type(app.screen).__name__)
            print(capacity_lines(fake.view)[0])
        asyncio.run(main())
        """,
    )
    assert told.startswith("CapacityScreen\n")
    assert "kinds are watched" in told


def test_a_runbook_with_its_drill(product: Path) -> None:
    example = re.search(
        r"^````\w*\n(---\nid: .*?)^````$",
        (ROOT / "docs" / "runbooks.md").read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    assert example, "docs/runbooks.md shows a whole runbook"
    write(product, "runbooks/guides/orders-late.md", example[1])
    write(product, "runbooks/guides/orders-late.words.yaml", block("words"))
    write(product, "drills/scenarios/guides/orders-late.yaml", block("drill"))
    run(
        product,
        """
        import sys
        from cli.main import process
        sys.argv[1:] = ["runbooks", "lint"]
        process()
        """,
    )
    assert passed(product, "tests/drill_gates/test_guides.py", "-k", "orders-late") == 2


def test_a_watched_kind(product: Path) -> None:
    insert(product, "cluster/kube/kinds.py", '    Kind("Event"', block("kind"))
    told = run(
        product,
        """
        from cluster.kube.kinds import BY_NAME
        from incident.tables.table import ObjectTable
        from cluster.live.store import Store
        from datetime import UTC, datetime
        kind = BY_NAME["PodTemplate"]
        table = ObjectTable(Store(), kind.name, datetime(2026, 11, 21, tzinfo=UTC))
        print(kind.path("shop"), [column.name for column in table.columns])
        """,
    )
    assert told.startswith("/api/v1/namespaces/shop/podtemplates ['namespace', 'name'")
