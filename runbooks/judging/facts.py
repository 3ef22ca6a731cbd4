"""Whether the facts of a finding, a change or a shared attribute are as a condition wants them."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from typing import Any

from triage.facts.finding import Fact


def holds(where: Mapping[str, Any], facts: Mapping[str, Fact]) -> bool:
    """Whether each fact is as `where` wants it."""
    return all(fits(wanted, facts.get(name)) for name, wanted in where.items())


_NUMBER = re.compile(r"^(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?)$")


_COMPARE = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}


def fits(wanted: Any, fact: Fact) -> bool:
    """Whether a fact is as `wanted`: a value, a list of values (one of), `">=3"`, `"~regex"`,
    `"!value"` or `"present"`. A tuple fits when any of its items does. An unknown fact (None) fits
    nothing, not even `"!value"`."""
    if isinstance(wanted, list):
        return any(fits(one, fact) for one in wanted)
    if fact is None:
        return False
    if isinstance(fact, tuple):
        return bool(fact) if wanted == "present" else any(fits(wanted, one) for one in fact)
    if isinstance(wanted, str):
        if wanted == "present":
            return fact != ""
        number = _NUMBER.match(wanted)
        if number:
            countable = isinstance(fact, int | float) and not isinstance(fact, bool)
            return countable and _COMPARE[number[1]](float(str(fact)), float(number[2]))
        if wanted.startswith("~"):
            return re.search(wanted[1:], str(fact), re.IGNORECASE) is not None
        if wanted.startswith("!"):
            return str(fact) != wanted[1:]
    if isinstance(wanted, bool) or isinstance(fact, bool):
        return wanted is fact
    return bool(fact == wanted or str(fact) == str(wanted))
