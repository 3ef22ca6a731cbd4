"""Reads the last log lines of failing containers, after a report has named them.

At most ten workloads, one pod each, 64 lines of the current and of the previous run, within a time
limit. A log is read once for each run of a container. The report never waits for it.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from cluster.api.logs import read_logs
from cluster.errors import ApiError, ClusterError, NotFound
from cluster.kube.objects import ContainerStatus, Pod, Ref
from cluster.kube.owners import top_owner
from cluster.live.live_cluster import LiveCluster
from incident.cadence import Cadence
from incident.own_time import late
from triage.detectors.pods.last_words import FAILING
from triage.facts.finding import Finding, Gap, Report
from triage.facts.measurements import LastWords, Sample

OWNERS = 10
"""Workloads whose logs are kept."""
LINES = 64
CAP = 256 << 10
"""Bytes of one log."""
CONCURRENT = 5
LONGEST = 15.0
"""Seconds of one request, however slow this machine is; before that `late` decides."""
AGAIN = timedelta(seconds=60)
"""Time after which the log of a running container is read again ..."""
RETRY = timedelta(seconds=15)
"""... and one that was not answered in time."""
KEPT = timedelta(minutes=30)
"""What a container said before stands for this long while its newest log is not answered."""
DENIED_FOR = timedelta(minutes=10)
WHAT = "last words of containers"


class EndedLog(msgspec.Struct, frozen=True):
    """One log. `run` identifies the run of the container by the time it began or ended."""

    pod: Ref
    container: str
    previous: bool
    run: str
    running: bool


class LastWordsReader:
    """The log lines read so far. `redact` removes secrets from the text before anything else reads
    it."""

    def __init__(
        self,
        live: LiveCluster,
        clock: Callable[[], datetime],
        redact: Callable[[str], str],
        cadence: Cadence,
    ) -> None:
        self._live = live
        self._clock = clock
        self._redact = redact
        self._cadence = cadence
        self._known: dict[EndedLog, tuple[datetime, LastWords | None]] = {}
        self._wanted: tuple[EndedLog, ...] = ()
        self._said: dict[tuple[Ref, str], tuple[datetime, LastWords]] = {}
        """What each container said last, of whatever run, and when it was read."""
        self._missed: dict[EndedLog, datetime] = {}
        """Logs that were asked for and not answered, and when."""
        self._denied: datetime | None = None
        self._late = self._refused = self._answered = 0
        """Logs that were late in the last reading."""

    @property
    def sample(self) -> Sample[LastWords] | None:
        """Last lines of the containers that fail now; None while nothing was read."""
        found = [self._known[source] for source in self._wanted if source in self._known]
        told = [(at, words) for at, words in found if words is not None]
        told += self._said_before({(words.pod, words.container) for _, words in told})
        if not told:
            return None
        return Sample(max(at for at, _ in [*found, *told]), 0.0, tuple(words for _, words in told))

    def _said_before(self, told: set[tuple[Ref, str]]) -> list[tuple[datetime, LastWords]]:
        """What containers said before, where their newest log was asked for and is not known."""
        now = self._clock()
        missed = dict.fromkeys(
            (s.pod, s.container)
            for s in self._wanted
            if s in self._missed and (s.pod, s.container) not in told
        )
        return [
            (at, replace(words, read=at))
            for container in missed
            if container in self._said
            for at, words in (self._said[container],)
            if now - at <= KEPT
        ]

    def gaps(self) -> tuple[Gap, ...]:
        """Why useful logs were not read."""
        if not self._wanted:
            return ()
        if self._denied is not None:
            return (Gap(WHAT, "forbidden: these credentials may not read logs (pods/log)"),)
        if self._late:
            logs = "1 log was" if self._late == 1 else f"{self._late} logs were"
            return (Gap(WHAT, f"{logs} not read within {self._cadence.last_words:g} s"),)
        return ()

    def unread(self, report: Report) -> tuple[EndedLog, ...]:
        """Containers that the report names and whose logs were not read yet. Changes what `sample`
        gives."""
        now = self._clock()
        if self._denied is not None and now - self._denied < DENIED_FOR:
            return ()
        self._wanted = tuple(self._sources(report))
        self._known = {s: self._known[s] for s in self._wanted if s in self._known}
        self._missed = {s: self._missed[s] for s in self._wanted if s in self._missed}
        failing = {(s.pod, s.container) for s in self._wanted}
        self._said = {c: said for c, said in self._said.items() if c in failing}
        return tuple(
            s
            for s in self._wanted
            if (s not in self._known or (s.running and now - self._known[s][0] >= AGAIN))
            and (s not in self._missed or now - self._missed[s] >= RETRY)
        )

    async def read(self, sources: tuple[EndedLog, ...]) -> bool:
        """Read these logs within `Cadence.last_words`. Returns whether something new is known.
        Never raises because of the cluster."""
        before = (self.sample, self.gaps())
        gate = asyncio.Semaphore(CONCURRENT)
        # Its import takes 0.1 s of CPU, which is not the server's time.
        await asyncio.to_thread(importlib.import_module, "triage.logs.classify")
        self._late = self._refused = self._answered = 0
        asked = self._clock()
        self._missed |= dict.fromkeys(sources, asked)  # until they are answered
        tasks = [asyncio.create_task(self._one(source, gate)) for source in sources]
        try:
            await late(tasks, self._cadence.last_words)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self._late = sum(source in self._missed for source in sources)
        self._denied = self._clock() if self._refused and not self._answered else None
        after = (self.sample, self.gaps())
        return (_values(before[0]), before[1]) != (_values(after[0]), after[1])

    async def _one(self, source: EndedLog, gate: asyncio.Semaphore) -> None:
        """Read one log, or that of the other run when it gives no class of fault."""
        async with gate:
            words: LastWords | None = None
            heard = False
            for previous in (source.previous, not source.previous):
                try:
                    text = await self._text(source, previous)
                except ClusterError as error:
                    self._refused += isinstance(error, ApiError) and error.status in (401, 403)
                    heard = heard or (isinstance(error, ApiError) and not _busy(error))
                    if isinstance(error, NotFound):
                        break  # the pod or its container is gone; a run that is not there is a 400
                    continue
                self._answered += 1
                heard = True
                found = await asyncio.to_thread(self._words, source, text, previous)
                words = found if words is None or (found and found.verdict) else words
                if source.running or (words is not None and words.verdict is not None):
                    break
            if not heard:
                return
            self._missed.pop(source, None)
            now = self._clock()
            self._known[source] = now, words
            if words is not None:
                self._said[source.pod, source.container] = now, words

    async def _text(self, source: EndedLog, previous: bool) -> list[str]:
        logs = await read_logs(
            self._live.api,
            source.pod.namespace,
            source.pod.name,
            source.container,
            tail=LINES,
            previous=previous,
            cap=CAP,
            timeout=LONGEST,
        )
        return [line.text for line in logs.lines]

    def _words(self, source: EndedLog, lines: list[str], previous: bool) -> LastWords | None:
        """Redact and classify the lines (blocking)."""
        from triage.logs.classify import last_line, verdict

        lines = self._redact("\n".join(lines)).split("\n")
        found, last = verdict(lines), last_line(lines)
        if found is None and not last:
            return None
        if found is not None:  # A message may be joined from several fields of a JSON line.
            found = replace(found, sentence=self._redact(found.sentence))
        return LastWords(source.pod, source.container, found, self._redact(last), previous)

    def _sources(self, report: Report) -> Iterator[EndedLog]:
        """The logs of failing containers, one pod of each workload, worst symptom first."""
        owners: set[Ref] = set()
        for symptom in report.symptoms:
            for finding in symptom.findings:
                if finding.rule not in FAILING:
                    continue
                pod = self._pod(finding)
                if pod is None:
                    continue
                owner = top_owner(pod, self._live.store)
                if owner in owners:
                    continue
                found = tuple(logs_of(pod))[:2]
                if found:
                    owners.add(owner)
                    yield from found
                if len(owners) >= OWNERS:
                    return

    def _pod(self, finding: Finding) -> Pod | None:
        store = self._live.store
        if finding.object.kind == "Job":
            job = store.get(*finding.object)
            pods = store.owned_by(job.metadata.uid).values() if job is not None else ()
            return next((p for p in pods if isinstance(p, Pod)), None)
        pod = store.get(*finding.object)
        return pod if isinstance(pod, Pod) else None


def _busy(error: ApiError) -> bool:
    """Whether the server answers that it cannot answer now."""
    return error.status == 429 or error.status >= 500


def _values(sample: Sample[LastWords] | None) -> tuple[LastWords, ...]:
    return sample.values if sample is not None else ()


def logs_of(pod: Pod) -> Iterator[EndedLog]:
    """The logs of a pod's failing containers: of the run that ended with an error, and of a running
    container that is not ready."""
    ref = Ref("Pod", pod.metadata.namespace, pod.metadata.name)
    init = pod.status.init_container_statuses
    sidecars = {c.name for c in pod.spec.init_containers if c.restart_policy == "Always"}
    running = [
        s for s in init if s.state.running is not None and not (s.started and s.name in sidecars)
    ]
    for status in (*pod.status.container_statuses, *init):
        state = status.state
        ended = state.terminated or status.last_state.terminated
        failed = ended is not None and ended.exit_code != 0
        run = f"{pod.metadata.uid}/{status.restart_count}/{_moment(status)}"
        if state.running is None:
            if failed:
                # The kubelet serves the log of the last run for a waiting container too.
                yield EndedLog(ref, status.name, False, run, False)
            continue
        if failed:
            yield EndedLog(ref, status.name, True, run, False)
        if not status.ready and (status in running or status in pod.status.container_statuses):
            yield EndedLog(ref, status.name, False, run, True)


def _moment(status: ContainerStatus) -> str:
    ended = status.state.terminated or status.last_state.terminated
    return ended.finished_at.isoformat() if ended is not None and ended.finished_at else ""
