"""Taking up the stations of a plan: an owner for each namespace, a pod for each station, and
everything removed again at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.errors import ClusterError
from cluster.kube.objects import Ref
from probes.context import ProbeContext, Progress
from probes.pods.ephemeral_container import KIND, add
from probes.pods.ephemeral_container import close as close_row
from probes.pods.lifecycle import NotStarted, create, remove_all, wait_running
from probes.pods.probe_pod import CONTAINER, Identity, new_name, owner_manifest, pod_ref
from probes.pods.vantage import CLIENT, EPHEMERAL, NONE, POD, Station


@dataclass(slots=True)
class Spot:
    """A station at work: where exec goes. `failed` is one sentence when nothing can be measured
    from here."""

    station: Station
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
        source = self.station.source
        return f"{source.namespace} on {self.node or source.node}"


class Stationing:
    """The objects that one run created. `close` must be called whatever happens; it is bounded in
    time."""

    def __init__(
        self, context: ProbeContext, identity: Identity, purpose: str, say: Progress
    ) -> None:
        self.context, self.identity, self.purpose, self.say = context, identity, purpose, say
        self.created: dict[Ref, str] = {}
        """Which -> uid, "" while the answer to its creation is awaited."""
        self.problems: list[str] = []

    async def start(self, stations: Sequence[Station]) -> list[Spot]:
        """Create what the stations need and wait until it runs. Raises what the ledger raises; then
        nothing more is created."""
        spots = [Spot(station, index) for index, station in enumerate(stations)]
        owners = await self._owners(stations)
        await asyncio.gather(*(self._start(spot, owners) for spot in spots))
        return spots

    async def close(self) -> dict[Ref, str]:
        """Remove everything; what remains, with the reason: "" for an ephemeral container, which
        remains as the plan said."""
        if self.created:
            self.say("removing what was created")
        left = await remove_all(self.context, self.created)
        for ref in self.created:
            if ref.kind == KIND:
                close_row(self.context, ref)
                left[ref] = ""
        return left

    async def _owners(self, stations: Sequence[Station]) -> dict[str, tuple[str, str]]:
        """One ConfigMap for each namespace in which pods will be created: (name, uid)."""
        owners: dict[str, tuple[str, str]] = {}
        for namespace in sorted({s.source.namespace for s in stations if s.method == POD}):
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

    async def _start(self, spot: Spot, owners: Mapping[str, tuple[str, str]]) -> None:
        station = spot.station
        if station.method == NONE:
            spot.failed = station.reason
        elif station.method == CLIENT:
            client = station.source.client
            assert client is not None
            spot.pod, spot.node, spot.address = (
                client.metadata.name,
                client.spec.node_name,
                client.status.pod_ip,
            )
            spot.container, spot.warm = station.container, True
        elif station.method == EPHEMERAL:
            await self._add_container(spot)
        elif station.source.namespace not in owners:
            spot.failed = f"no owner for a probe pod could be created in {station.source.namespace}"
        else:
            await self._start_pod(spot, owners[station.source.namespace])

    async def _add_container(self, spot: Spot) -> None:
        """In the client's own network: known to the policy agents as long as the client is, so
        there is no warm-up."""
        station, client = spot.station, spot.station.source.client
        assert client is not None
        assert station.manifest is not None
        self.say(
            f"adding {station.container} to {client.metadata.namespace}/{client.metadata.name}"
        )
        try:
            await add(
                self.context, client, station.manifest, self.identity, self.purpose, self.created
            )
        except (ClusterError, NotStarted) as error:
            spot.failed = str(error)
            self.problems.append(spot.failed)
            return
        spot.pod, spot.node, spot.address = (
            client.metadata.name,
            client.spec.node_name,
            client.status.pod_ip,
        )
        spot.container, spot.warm = station.container, True

    async def _start_pod(self, spot: Spot, owner: tuple[str, str]) -> None:
        station = spot.station
        assert station.manifest is not None
        for attempt, image in enumerate(station.choices[:3]):
            again = self.identity.session if attempt else ""
            manifest = _with_image(
                station.manifest, image.image, image.pull_policy, owner, fresh=again
            )
            ref = pod_ref(manifest)
            self.say(
                f"starting {ref.name} in {ref.namespace} on {station.source.node} from "
                f"{image.image}"
            )
            uid = ""
            try:
                # Entered before the request: when its answer is lost, the pod may exist all the
                # same.
                self.created[ref] = ""
                _, uid = await create(self.context, manifest, self.identity, self.purpose)
                self.created[ref] = uid
                running = await wait_running(self.context, ref, uid)
            except (ClusterError, NotStarted) as error:
                spot.failed = str(error)
                if isinstance(error, ClusterError) and not uid:
                    break
                continue
            spot.pod, spot.node, spot.address, spot.failed = (
                ref.name,
                running.node,
                running.address,
                "",
            )
            return
        self.problems.append(spot.failed)


def _with_image(
    manifest: Mapping[str, Any], image: str, policy: str, owner: tuple[str, str], *, fresh: str
) -> dict[str, Any]:
    """The planned manifest with its owner, and for a second try with another image also another
    name."""
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
