"""Times and sizes of lists and watches."""

from __future__ import annotations

import msgspec


class WatchConfig(msgspec.Struct, frozen=True):
    """Times in seconds, and sizes."""

    page: int = 500
    """Objects a page."""
    first_page: int = 100
    """Objects of the first page of a kind that comes in thousands: small, so that the
    screen fills early."""
    breath: float = 0.0
    """Seconds in which what was read is drawn: between that page and the rest, and between the
    first lists of all kinds and their watches."""
    silence: float = 100.0
    """Longest silence of a watch before it is opened again: bookmarks come about once a minute."""
    initial_silence: float = 5.0
    """Longest silence within a streamed list, before pages are tried."""
    answer: float = 20.0
    """Longest wait for the first byte of an answer."""
    watch: tuple[int, int] = (300, 600)
    """timeoutSeconds of a watch is drawn from here, so that watches do not end together."""
    denied: float = 60.0
    """Wait after 403, 404 and 406: permissions and APIs change seldom."""
    backoff: float = 0.5
    backoff_cap: float = 30.0
    retry_after_cap: float = 120.0
