"""Names of public alerts: each is sure of its page, or of none, in every form in which it comes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import yaml

from runbooks.documents import document
from tests import shipped

LISTED: dict[str, dict[str, str]] = yaml.safe_load(
    (Path(__file__).parent / "alerts.yaml").read_text("utf-8")
)
ALERTS = {name: page for names in LISTED.values() for name, page in names.items()}
LIBRARY, MATCHER = shipped.library(), shipped.matcher()
FORMS = (
    "{}",
    "[FIRING:1] {} (prod-eu critical)",
    'ALERTS{{alertname="{}", alertstate="firing", severity="warning"}}',
)


def test_the_list_is_long_and_names_pages_that_exist() -> None:
    assert len(ALERTS) >= 220
    assert set(ALERTS.values()) <= {"none", *(page.id for page in LIBRARY.runbooks)}


@pytest.mark.parametrize("form", FORMS, ids=["bare", "chat", "series"])
def test_an_alert_is_sure_of_its_page_or_of_none(form: str) -> None:
    wrong = {}
    for name, page in ALERTS.items():
        found = MATCHER.match_words(form.format(name))
        sure = found[0].id if found and found[0].confident else "none"
        if sure != page:
            wrong[name] = (sure, page)
    assert wrong == {}


def test_an_alert_is_named_by_one_page() -> None:
    named = Counter(alert for page in LIBRARY.runbooks for alert in document(page).alerts)
    assert [alert for alert, pages in named.items() if pages > 1] == []
