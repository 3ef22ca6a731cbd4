"""Creates what the vantages of a plan need (an owner for each namespace, a pod for each vantage)
and removes it at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from cluster.api.exec import ExecResult
from cluster.errors import ClusterError
from cluster.kube.objects import Ref
from probes.context import ProbeContext, Progress
from probes.pods.ephemeral_container import KIND, add
from probes.pods.ephemeral_container import close as close_row
from probes.pods.lifecycle import NotStarted, create, remove_all, wait_running
from probes.pods.probe_pod import CONTAINER, Identity, new_name, owner_manifest, pod_ref
from probes.pods.vantage import CLIENT, EPHEMERAL, NONE, POD, Vantage
from probes.result import Cell, Conclusion, Place, ProbePlan, ProbeResult, Row

T = TypeVar("T")


@dataclass(slots=True)
class ReadyVantage:
    """A vantage that is ready: the pod and container that exec runs in. `failed` is one sentence
    when nothing can be measured from here."""

    vantage: Vantage
    index: int
    pod: str = ""
    node: str = ""
    address: str = ""
    container: str = CONTAINER
    python: bool = False
    failed: str = ""
    warm: bool = False

    @property
    def name(self) -> str:
        source = self.vantage.source
        return f"{source.namespace} on {self.node or source.node}"

    @property
    def place(self) -> Place:
        source = self.vantage.source
        node = self.node or source.node
        return Place(source.namespace, node, self.pod, self.address, self.vantage.method)


class VantagePods:
    """The objects of one run. `close` must be called in every case; it is bounded in time."""

    def __init__(
        self, context: ProbeContext, identity: Identity, purpose: str, progress: Progress
    ) -> None:
        self.context, self.identity, self.purpose = context, identity, purpose
        self.say = progress
        self.origins: list[ReadyVantage] = []
        self._started, self._sent, self._execs = context.clock(), context.sent, 0
        self._left: dict[Ref, str] = {}
        self.created: dict[Ref, str] = {}
        """Object -> uid, "" until its creation is answered."""
        self.problems: list[str] = []

    async def measure(
        self, vantages: Sequence[Vantage], work: Callable[[ReadyVantage], Awaitable[T]]
    ) -> list[T]:
        """Creates what the vantages need, runs `work` from each, and removes everything, also when
        cancelled (within a time limit). Raises what the ledger raises."""
        try:
            self.origins = await self.start(vantages)
            return await asyncio.gather(*(work(origin) for origin in self.origins))
        finally:
            self._left = await asyncio.shield(self.close())

    async def execute(
        self, origin: ReadyVantage, command: Sequence[str], limit_s: float
    ) -> ExecResult:
        """Runs one command in the container of `origin`."""
        assert self.context.execute is not None
        self._execs += 1
        namespace = origin.vantage.source.namespace
        return await self.context.execute(namespace, origin.pod, origin.container, command, limit_s)

    def result(
        self,
        plan: ProbePlan,
        cells: Sequence[Cell],
        conclusions: Sequence[Conclusion],
        rows: Sequence[Row] = (),
    ) -> ProbeResult:
        """The result of a finished measurement; complete when every cell was measured."""
        problems = (*self.problems, *filter(None, self._left.values()))
        return ProbeResult(
            plan.probe,
            plan.arguments,
            self._started,
            self.context.clock(),
            tuple(cells),
            tuple(rows),
            tuple(conclusions),
            created=tuple(self.created),
            left_behind=tuple(self._left),
            complete=bool(cells) and all(cell.counted for cell in cells),
            problems=tuple(dict.fromkeys(problems)),
            method=plan.method,
            requests=self._execs + self.context.sent - self._sent,
        )

    async def start(self, vantages: Sequence[Vantage]) -> list[ReadyVantage]:
        """Creates what the vantages need and waits until it runs. Raises what the ledger raises;
        then nothing more is created."""
        origins = [ReadyVantage(vantage, index) for index, vantage in enumerate(vantages)]
        owners = await self._owners(vantages)
        await asyncio.gather(*(self._start(origin, owners) for origin in origins))
        return origins

    async def close(self) -> dict[Ref, str]:
        """Removes everything: what remains, with the reason ("" for an ephemeral container, which
        remains as planned)."""
        if self.created:
            self.say("removing what was created")
        left = await remove_all(self.context, self.created)
        for ref in self.created:
            if ref.kind == KIND:
                close_row(self.context, ref)
                left[ref] = ""
        return left

    async def _owners(self, vantages: Sequence[Vantage]) -> dict[str, tuple[str, str]]:
        """One ConfigMap for each namespace in which pods will be created: (name, uid)."""
        owners: dict[str, tuple[str, str]] = {}
        for namespace in sorted({s.source.namespace for s in vantages if s.method == POD}):
            name = new_name(self.identity.session)
            manifest = owner_manifest(name, namespace, self.identity)
            try:
                ref, uid = await create(
                    self.context, manifest, self.identity, "owner of probe pods"
                )
            except ClusterError as error:
                self.problems.append(
                    f"No owner could be created in {namespace}, so no pod is: {error}"
                )
                continue
            self.created[ref] = uid
            owners[namespace] = (name, uid)
        return owners

    async def _start(self, origin: ReadyVantage, owners: Mapping[str, tuple[str, str]]) -> None:
        vantage = origin.vantage
        if vantage.method == NONE:
            origin.failed = vantage.reason
        elif vantage.method == CLIENT:
            client = vantage.source.client
            assert client is not None
            origin.pod, origin.node, origin.address = (
                client.metadata.name,
                client.spec.node_name,
                client.status.pod_ip,
            )
            origin.container, origin.warm = vantage.container, True
        elif vantage.method == EPHEMERAL:
            await self._add_container(origin)
        elif vantage.source.namespace not in owners:
            origin.failed = (
                f"no owner for a probe pod could be created in {vantage.source.namespace}"
            )
        else:
            await self._start_pod(origin, owners[vantage.source.namespace])

    async def _add_container(self, origin: ReadyVantage) -> None:
        """Adds a container to the client. The policy agents know the client already, so there is no
        warm-up."""
        vantage, client = origin.vantage, origin.vantage.source.client
        assert client is not None
        assert vantage.manifest is not None
        self.say(
            f"adding {vantage.container} to {client.metadata.namespace}/{client.metadata.name}"
        )
        try:
            await add(
                self.context, client, vantage.manifest, self.identity, self.purpose, self.created
            )
        except (ClusterError, NotStarted) as error:
            origin.failed = str(error)
            self.problems.append(origin.failed)
            return
        origin.pod, origin.node, origin.address = (
            client.metadata.name,
            client.spec.node_name,
            client.status.pod_ip,
        )
        origin.container, origin.warm = vantage.container, True

    async def _start_pod(self, origin: ReadyVantage, owner: tuple[str, str]) -> None:
        vantage = origin.vantage
        assert vantage.manifest is not None
        for attempt, image in enumerate(vantage.choices[:3]):
            again = self.identity.session if attempt else ""
            manifest = _with_image(
                vantage.manifest, image.image, image.pull_policy, owner, fresh=again
            )
            ref = pod_ref(manifest)
            self.say(
                f"starting {ref.name} in {ref.namespace} on {vantage.source.node} from "
                f"{image.image}"
            )
            uid = ""
            try:
                # Before the request, because the pod may exist when the answer is lost.
                self.created[ref] = ""
                _, uid = await create(self.context, manifest, self.identity, self.purpose)
                self.created[ref] = uid
                running = await wait_running(self.context, ref, uid)
            except (ClusterError, NotStarted) as error:
                origin.failed = str(error)
                if isinstance(error, ClusterError) and not uid:
                    break
                continue
            origin.pod, origin.node, origin.address, origin.failed = (
                ref.name,
                running.node,
                running.address,
                "",
            )
            return
        self.problems.append(origin.failed)


def _with_image(
    manifest: Mapping[str, Any], image: str, policy: str, owner: tuple[str, str], *, fresh: str
) -> dict[str, Any]:
    """The planned manifest with its owner; `fresh`: the session for a new name, for another try."""
    container = {**manifest["spec"]["containers"][0], "image": image, "imagePullPolicy": policy}
    metadata = dict(manifest["metadata"])
    if fresh:
        metadata["name"] = new_name(fresh)
    if owner[1]:
        metadata["ownerReferences"] = [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "name": owner[0],
                "uid": owner[1],
                "controller": False,
            }
        ]
    return {
        **manifest,
        "metadata": metadata,
        "spec": {**manifest["spec"], "containers": [container]},
    }
