"""A report for which unchanged results were kept equals one made from nothing, whatever changed.

Two engines take the same random changes. One keeps its results from report to report, the other
forgets them before each report."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cluster.kube.kinds import KINDS
from cluster.kube.objects import Ref
from cluster.live.freshness import Freshness, WatchState
from cluster.live.store import Store, StoreUpdate
from tests.triage.build import NOW, Cluster, meta, row, ts
from triage.engine import Triage
from triage.facts.cooperative import run
from triage.facts.finding import Report
from triage.facts.measurements import LastWords, Sample, Sources
from triage.facts.reads import results
from triage.facts.reads.recorded import ReadStore
from triage.facts.reads.results import Reads
from triage.logs.classify import verdict
from triage.symptoms.grouping import Grouping

Raw = dict[str, Any]
STEPS = 30
SEEDS = 6
JUMPS = (2, 2, 2, 5, 20, 61, 200, 2_000, 3 * 3600, 25 * 3600)
"""Seconds between two reports: most are short, some are longer than a grace period or a window."""


class World:
    """A cluster that changes at random, and the two engines that follow it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = NOW
        self.store = Store()
        self.cluster = Cluster(7)
        self.freshness = {
            kind.name: Freshness(kind.name, WatchState.LIVE, heard=NOW) for kind in KINDS
        }
        self.sources = Sources()
        self.version = 0
        self.rows: dict[tuple[str, str, str], Raw] = {}
        self.keeping, self.forgetting = Triage(self.clock), Triage(self.clock)
        for namespace in ("shop", "billing", "kube-system"):
            for name in ("web", "api", "worker"):
                self.cluster.deployment(name, namespace, replicas=3)
        self.cluster.deployment("agent", "kube-system", kind="DaemonSet")
        self.send(self.fresh())

    def clock(self) -> datetime:
        return self.now

    def fresh(self) -> Iterator[tuple[str, Raw]]:
        """What the builder has made since the last call."""
        for kind, raw in self.cluster.raw:
            yield kind, {key: each for key, each in raw.items() if key not in ("set", "pods")}
        self.cluster.raw.clear()

    def send(self, rows: Iterator[tuple[str, Raw]] | list[tuple[str, Raw]]) -> None:
        for kind, raw in rows:
            self.version += 1
            about = raw["metadata"]
            about["resourceVersion"] = str(1_000_000 + self.version)
            self.rows[kind, about.get("namespace", ""), about["name"]] = raw
            self.take(self.store.apply(kind, [row(kind, raw)]))

    def take(self, changes: list[StoreUpdate]) -> None:
        for engine in (self.keeping, self.forgetting):
            engine.update(changes, self.store)

    def pick(self, *kinds: str) -> tuple[str, Raw] | None:
        """One of the objects of these kinds, to be changed."""
        keys = sorted(key for key in self.rows if key[0] in kinds)
        key = self.random.choice(keys) if keys else None
        return (key[0], copy.deepcopy(self.rows[key])) if key else None

    def remove(self, kind: str, raw: Raw) -> None:
        about = raw["metadata"]
        key = (about.get("namespace", ""), about["name"])
        self.rows.pop((kind, *key), None)
        self.take(self.store.apply(kind, deletes=[key]))

    def stamp(self, seconds: int = 5) -> str | None:
        return ts(self.now - timedelta(seconds=seconds))

    # -- what happens

    def break_pod(self) -> None:
        if found := self.pick("Pod"):
            kind, raw = found
            reason = self.random.choice(
                ("CrashLoopBackOff", "ImagePullBackOff", "CreateContainerConfigError")
            )
            message = 'secret "token" not found' if reason.startswith("Create") else "back-off 5m0s"
            ended = {
                "exitCode": self.random.choice((1, 137)),
                "reason": self.random.choice(("Error", "OOMKilled")),
                "finishedAt": self.stamp(),
            }
            self.cluster.waiting(raw, reason, message, self.random.randrange(9), ended, "Running")
            for condition in raw["status"]["conditions"]:
                condition["lastTransitionTime"] = self.stamp()
            self.send([(kind, raw)])

    def break_owner(self) -> None:
        """All pods of one owner, so that a symptom has several."""
        if found := self.pick("Pod"):
            app = found[1]["metadata"]["labels"].get("app")
            for (kind, *_), raw in list(self.rows.items()):
                if kind == "Pod" and raw["metadata"]["labels"].get("app") == app:
                    changed = copy.deepcopy(raw)
                    self.cluster.waiting(changed, "CrashLoopBackOff", "back-off", 4)
                    self.send([("Pod", changed)])

    def mend_pod(self) -> None:
        if found := self.pick("Pod"):
            kind, raw = found
            raw["status"]["phase"] = "Running"
            for condition in raw["status"]["conditions"]:
                condition.update(status="True", lastTransitionTime=self.stamp())
            for container in raw["status"]["containerStatuses"]:
                running = {"running": {"startedAt": self.stamp()}}
                container.update(ready=True, state=running)
            self.send([(kind, raw)])

    def move_pod(self) -> None:
        if found := self.pick("Pod"):
            kind, raw = found
            self.remove(kind, raw)
            raw["metadata"] |= {"uid": f"moved-{self.version}", "creationTimestamp": self.stamp()}
            node = self.pick("Node")
            raw["spec"]["nodeName"] = node[1]["metadata"]["name"] if node else ""
            self.send([(kind, raw)])

    def end_pod(self) -> None:
        if found := self.pick("Pod"):
            kind, raw = found
            if self.random.random() < 0.5:
                self.remove(kind, raw)
            else:
                raw["status"]["phase"] = self.random.choice(("Failed", "Succeeded"))
                self.send([(kind, raw)])

    def change_node(self) -> None:
        if found := self.pick("Node"):
            kind, raw = found
            what = self.random.randrange(6)
            if what == 0:
                self.cluster.not_ready(raw, self.now - timedelta(seconds=70))
            elif what == 1:
                for condition in raw["status"]["conditions"]:
                    status = "True" if condition["type"] == "Ready" else "False"
                    condition.update(status=status, lastTransitionTime=self.stamp())
            elif what == 2:
                raw["status"]["nodeInfo"]["kubeletVersion"] = "v1.34.0"
            elif what == 3:
                raw["spec"]["unschedulable"] = not raw["spec"].get("unschedulable")
            elif what == 4:
                raw["metadata"]["labels"]["topology.kubernetes.io/zone"] = "z9"
            else:
                raw["status"]["conditions"][0]["lastHeartbeatTime"] = self.stamp(0)
            self.send([(kind, raw)])

    def come_and_go(self) -> None:
        """A node joins, or one leaves."""
        if self.random.random() < 0.5 and (found := self.pick("Node")):
            self.remove(*found)
        else:
            self.cluster.node(f"new-{self.version}", kubelet="v1.34.0", created=self.now)
            self.send(self.fresh())

    def event(self) -> None:
        if found := self.pick("Pod"):
            _, raw = found
            reason, message = self.random.choice(
                (
                    ("Unhealthy", "Readiness probe failed: context deadline exceeded"),
                    ("SandboxChanged", "Pod sandbox changed, it will be killed and re-created."),
                    ("FailedMount", 'MountVolume.SetUp failed: secret "token" not found'),
                    ("FailedScheduling", "0/7 nodes are available: 7 Insufficient memory."),
                    ("BackOff", "Back-off restarting failed container"),
                )
            )
            self.cluster.pod_event(raw, reason, message, self.now - timedelta(seconds=3))
            self.send(self.fresh())

    def node_event(self) -> None:
        if found := self.pick("Node"):
            name = found[1]["metadata"]["name"]
            reason = self.random.choice(("NodeNotReady", "SystemOOM", "Rebooted"))
            self.cluster.event("Node", "", name, reason, f"{name}: {reason}", self.now)
            self.send(self.fresh())

    def change_workload(self) -> None:
        if found := self.pick("Deployment"):
            kind, raw = found
            what = self.random.randrange(3)
            if what == 0:
                raw["spec"]["replicas"] = self.random.randrange(4)
            elif what == 1:
                raw["status"]["readyReplicas"] = self.random.randrange(3)
                raw["status"]["availableReplicas"] = raw["status"]["readyReplicas"]
            else:
                self.remove(kind, raw)
                return
            self.send([(kind, raw)])

    def deploy(self) -> None:
        self.cluster.deployment(
            f"app-{self.version}", "shop", created=self.now - timedelta(seconds=4)
        )
        self.send(self.fresh())

    def change_service(self) -> None:
        name = self.random.choice(("web", "api"))
        found = self.rows.get(("Service", "shop", name))
        if found is not None and self.random.random() < 0.4:
            self.remove("Service", found)
            return
        selector = self.random.choice(({"app": name}, {"app": "none"}))
        raw = {
            "metadata": meta(name, "shop"),
            "spec": {"selector": selector, "ports": [{"port": 80}], "type": "ClusterIP"},
        }
        ready = self.random.random() < 0.5
        ends = [{"addresses": ["10.1.0.3"], "conditions": {"ready": ready}, "nodeName": "n1"}]
        piece = {
            "metadata": meta(f"{name}-x", "shop", labels={"kubernetes.io/service-name": name}),
            "endpoints": ends,
        }
        self.send([("Service", raw), ("EndpointSlice", piece)])

    def write_secret(self) -> None:
        name = self.random.choice(("token", "key", "cert"))
        fields: Raw = {"f:data": {f"f:{each}": {} for each in self.random.sample("abc", 2)}}
        wrote = {"manager": "vault", "operation": "Update", "time": self.stamp()}
        raw = {"metadata": meta(name, "shop", managedFields=[{**wrote, "fieldsV1": fields}])}
        self.send([("Secret", raw)])

    def renew(self) -> None:
        for kind, _, name in sorted(self.rows):
            if kind == "Node" and self.random.random() < 0.8:
                about = meta(name, "kube-node-lease")
                renewed = {"holderIdentity": name, "renewTime": self.stamp(0)}
                self.send([("Lease", {"metadata": about, "spec": renewed})])

    def turn_kind(self) -> None:
        """A kind becomes stale or forbidden, or is live again."""
        name = self.random.choice(("Secret", "Service", "Lease", "Event"))
        states = (WatchState.STALE, WatchState.FORBIDDEN, WatchState.LIVE)
        state = self.random.choice(states)
        self.freshness = {**self.freshness, name: Freshness(name, state, heard=self.now)}

    def measure(self) -> None:
        if found := self.pick("Pod"):
            about = found[1]["metadata"]
            line = "dial tcp 10.0.0.9:5432: connect: connection refused"
            pod = Ref("Pod", about["namespace"], about["name"])
            words = LastWords(pod, "app", verdict([line]), line)
            self.sources = Sources(last_words=Sample(self.now, 0.0, (words,)))

    def odd_time(self) -> None:
        """A time in the future, or one before there was Kubernetes."""
        if found := self.pick("Pod"):
            kind, raw = found
            at = self.random.choice(
                (self.now + timedelta(minutes=20), datetime(1999, 1, 1, tzinfo=UTC))
            )
            for condition in raw["status"]["conditions"]:
                condition.update(status="False", lastTransitionTime=ts(at))
            self.send([(kind, raw)])

    # -- what is reported

    def step(self) -> tuple[Report, Report]:
        """Some changes, then the reports of both."""
        events: list[Callable[[], None]] = [
            *(self.break_pod, self.break_pod, self.break_owner, self.mend_pod, self.mend_pod),
            *(self.move_pod, self.end_pod, self.change_node, self.change_node, self.come_and_go),
            *(self.event, self.event, self.node_event, self.change_workload, self.deploy),
            *(self.change_service, self.write_secret, self.renew, self.turn_kind, self.measure),
            self.odd_time,
        ]
        for happen in self.random.choices(events, k=self.random.choice((0, 1, 1, 2, 6))):
            happen()
        self.now += timedelta(seconds=self.random.choice(JUMPS))
        forget(self.forgetting)
        one, other = (
            engine.report(self.now, self.store, self.freshness, self.sources)
            for engine in (self.keeping, self.forgetting)
        )
        return one, other


def forget(engine: Triage) -> None:
    """The next report of the engine is made from nothing."""
    engine._reads = Reads()
    engine.events.touched = engine._reads.touch_event
    engine._grouping = Grouping(engine.population, engine._reads)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_report_with_kept_results_equals_one_made_from_nothing(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "LONGEST", timedelta(days=365))
    world = World(seed)
    for number in range(STEPS):
        kept, made = world.step()
        for field in Report.__struct_fields__:
            assert getattr(kept, field) == getattr(made, field), (number, field)


def test_an_event_makes_one_symptom_and_keeps_the_others() -> None:
    world = World(0)
    for name in ("web", "api"):
        for (kind, namespace, _), raw in list(world.rows.items()):
            if kind == "Pod" and namespace != "shop" and name in raw["metadata"]["name"]:
                world.cluster.waiting(raw, "CrashLoopBackOff", "back-off", 4)
                world.send([(kind, copy.deepcopy(raw))])
    engine = world.keeping
    run(engine.settle(world.now, world.store, world.freshness))
    engine.report(world.now, world.store, world.freshness)
    before = engine.report(world.now, world.store, world.freshness).symptoms
    world.cluster.deployment("other", "elsewhere", replicas=1)
    world.send(world.fresh())
    after = engine.report(world.now, world.store, world.freshness).symptoms
    single = [each for each in before if len(each.objects) == 1]
    assert before
    assert all(any(each is other for other in after) for each in single)


def test_a_result_that_nothing_touched_is_made_again_after_a_minute() -> None:
    reads = Reads()
    reads.begin()
    reads.noted.add("here")
    reads.keep("sum", 3, NOW, None)
    assert reads.kept("sum", NOW + timedelta(seconds=59)) is not None
    assert reads.kept("sum", NOW + timedelta(seconds=60)) is None


def test_every_reading_method_of_the_store_notes_what_is_read() -> None:
    writing = {"apply", "replace"}
    methods = {name for name, each in vars(Store).items() if callable(each) and name[0] != "_"}
    assert methods - writing <= set(vars(ReadStore))
