"""Intervals and time limits of an investigation, in one value that is passed down.

From a change in the cluster to a pixel there are four throttles: watches `gather`
(`cluster.live.watch_config`), then `report`, `view` and `paint` below.
"""

from __future__ import annotations

import math
import sys

import msgspec


class Cadence(msgspec.Struct, frozen=True):
    """All times are seconds."""

    # -- report: what is wrong

    report: float = 0.3
    """Least time between two reports: a person does not read faster."""
    report_loading: float = 1.5
    """The same while kinds are still being read and something was found: reading comes first."""
    report_share: float = 0.1
    """Largest share of the time that reports take: after one of 100 ms the next waits for 1 s,
    unless `report_saved` covers it."""
    report_saved: float = 1.0
    """Unused time that is saved for later reports, so that news after a quiet minute is reported at
    once."""
    report_longest: float = 15.0
    """Longest pause between two reports, however long one takes; slices keep keys fast."""
    report_due: float = 6.0
    """Least time between two reports while nothing changes, when a grace period ends."""
    report_idle: float = 20.0
    """Longest time between two reports, for what depends on time and names no end."""
    search: float = 0.05
    """Least time between two reports before anything was found: the screen is empty."""
    search_share: float = 0.25
    """Largest share of the time that those reports take."""
    whole: float = 2.0
    """Time without news after which a single answer uses what has been read."""
    slice: float = 0.001
    """Longest time that triage holds the loop. A key passes through about six tasks before it is
    drawn, and waits for each."""
    quiet_slice: float = 0.005
    """The same of a report while no key was pressed for `gc_quiet`: one of 130 ms ends after 26
    pauses instead of 130."""
    search_slice: float = 0.01
    """The same before anything was found."""
    pause: float = 0.001
    """Time between two slices, in which several tasks get their turn."""
    batch: int = 5
    """Changes that triage takes between two looks at the clock: the costs of two kinds differ a
    hundredfold."""
    cleared: float = 30.0
    """Time that a symptom must be gone before the record says that it cleared, so that one that
    flickers stays one symptom."""

    # -- view: what the faces are given

    view: float = 0.1
    """Least time between two views, and between two batches of changed rows."""
    first_view: float = 0.02
    """The same before anything was found."""
    tick: float = 1.0
    """Longest time between two views, because ages grow."""
    calm: float = 2.0
    """The same while the server answers, nothing is running and nothing else changed."""

    # -- paint: what the screens draw

    paint: float = 0.1
    """Least time between two paints of views."""
    reading_paint: float = 0.3
    """The same before anything was found and while kinds are read: reading needs the time. The
    first finding and the end of reading are painted at once."""
    typing: float = 0.5
    """Time after a key in a dialog in which the screen below is not painted, because the next key
    would wait for it."""
    typed_over: float = 5.0
    """Longest time that painting is put off for typing."""
    moving: float = 0.2
    """Time after a key in which changed rows are not drawn, because the next key would wait for
    them."""
    moved: float = 0.5
    """Longest time that rows are put off for keys."""
    filter: float = 0.08
    """Time after a key before rows are filtered: the typed text is drawn first."""
    filter_slice: float = 0.002
    """Longest time that filtering holds the loop. A key waits for half a dozen slices."""
    log: float = 0.2
    """Least time between two paints of a log that is followed."""

    # -- start and end

    first_find: float = 1.2
    """Longest wait for a first finding before runbooks are read and the record is opened. Both take
    0.2 s of CPU, and the finding would wait for them."""
    drawn: float = 0.1
    """Time in which the first finding is drawn."""
    breath: float = 0.25
    """Time between the first page of a kind with thousands of objects and the rest, in which the
    findings of that page are drawn."""
    loaded: float = 30.0
    """Longest wait for all kinds to be read. Then work begins that can do without the rest."""
    warm_up: float = 1.0
    """Time after that before the modules are imported that the first step needs."""
    reconnect: float = 5.0
    """Time between two readings of a kubeconfig that could not be read."""
    reopen: float = 2.0
    """Time between two tries to open a record that could not be opened."""
    reload: float = 5.0
    """Time between two checks whether a runbook was edited."""
    sweep: float = 30.0
    """Longest time that the sweep at the start waits for the server."""
    stop: float = 10.0
    """Longest time for removing created objects at the end."""

    # -- measurements beside the objects

    metrics: float = 60.0
    """Time between two rounds of metrics."""
    first_metrics: float = 8.0
    """Time from the first full reading to the first round: objects come first."""
    last_words: float = 2.0
    """Longest time for reading the logs of failing containers; `triage` answers without logs that
    are late."""
    wait: float = 3.0
    """Time between two checks of a `wait` step."""

    # -- limits of one request

    check_limit: float = 15.0
    """One check of a runbook: a person waits for it."""
    object_limit: float = 8.0
    """The YAML of one object."""
    metrics_limit: float = 6.0
    """One page of metrics: no person waits for it."""

    # -- garbage collection (`incident.process`)

    gc: float = 20.0
    """Least time between two full collections, while no key is pressed."""
    gc_quiet: float = 1.0
    """Time without a key after which no key is expected."""
    gc_latest: float = 90.0
    """Longest time between two full collections."""

    def single(self) -> Cadence:
        """For one answer that is printed: no key waits, so work is not cut into slices."""
        return msgspec.structs.replace(
            self, slice=math.inf, batch=sys.maxsize, pause=0.0, breath=0.0
        )
