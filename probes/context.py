"""What a probe receives: API access, the door for writing, the live state, the record, the clock.

The protocols name the methods that probes use of `cluster.api`, so that tests can replace them.
"""

from __future__ import annotations

import asyncio
import getpass
import socket
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol, Unpack

from cluster.api.exec import ExecResult
from cluster.api.mode import Mode, Purpose, ResourceAttributes
from cluster.api.port_forward import ForwardResult
from cluster.api.transport import JSON, Api, Params
from cluster.api.write import Writer
from cluster.live.store import Store
from probes.ledger import Ledger, MemoryLedger

Progress = Callable[[str], None]
"""Called with one line of progress ("5 of 12 tries, node-2")."""


class ApiReader(Protocol):
    """The reading half of `cluster.api.transport.Api`; paths start at the server's root. Raises
    `cluster.errors.ClusterError`."""

    async def get_json(
        self,
        path: str,
        params: Params | None = None,
        *,
        timeout: float | None = None,
        accept: str = JSON,
    ) -> Any: ...

    async def get_text(
        self,
        path: str,
        params: Params | None = None,
        *,
        timeout: float | None = None,
        cap: int = 1 << 20,
        last: bool = False,
    ) -> tuple[str, bool]: ...


class ProbeWriter(Protocol):
    """The door for writing, bound to `Purpose.DEBUG_POD`. Returns the decoded object.

    Raises `cluster.errors.ClusterError` (`Refused`: not sent; `OutcomeUnknown`: it may have taken
    effect).
    """

    @property
    def mode(self) -> Mode | None: ...

    async def create(
        self, path: str, body: Mapping[str, Any], *, dry_run: bool = False
    ) -> Mapping[str, Any]: ...

    async def patch(
        self, path: str, body: Mapping[str, Any], *, content_type: str, dry_run: bool = False
    ) -> Mapping[str, Any]: ...

    async def delete(
        self, path: str, *, uid: str = "", grace_seconds: int | None = None
    ) -> Mapping[str, Any]: ...

    async def review(
        self, verb: str, resource: str, **attributes: Unpack[ResourceAttributes]
    ) -> tuple[bool, str]:
        """SelfSubjectAccessReview: (allowed, reason)."""
        ...


class Execute(Protocol):
    """Runs a command in a container over WebSocket. Does not raise for a failure in the cluster.
    `deadline_s` bounds the whole call."""

    async def __call__(
        self, namespace: str, pod: str, container: str, command: Sequence[str], deadline_s: float
    ) -> ExecResult: ...


class Forward(Protocol):
    """Tries a port inside a pod by port-forward. Does not raise for a failure in the cluster."""

    async def __call__(
        self, namespace: str, pod: str, port: int, deadline_s: float
    ) -> ForwardResult: ...


@dataclass(frozen=True, slots=True)
class ProbeContext:
    """What a probe may use. Where `writer`, `execute` or `forward` is None, the plan says which
    fall-back remains.

    `session` is the uuid on everything that this run creates; `operator` is user@host; `incident`
    may be "".
    """

    store: Store
    api: ApiReader | None = None
    writer: ProbeWriter | None = None
    execute: Execute | None = None
    forward: Forward | None = None
    ledger: Ledger = field(default_factory=MemoryLedger)
    session: str = field(default_factory=lambda: str(uuid.uuid4()))
    operator: str = ""
    incident: str = ""
    context: str = ""
    server: str = ""
    unavailable: Mapping[str, str] = field(default_factory=dict)
    """Kind -> why it could not be read. A result that needs one of them says so."""
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    @property
    def sent(self) -> int:
        """HTTP requests sent to this API server so far, including those of the live state, without
        execs."""
        return self.api.budget().total if isinstance(self.api, Api) else 0

    @property
    def may_stay(self) -> bool:
        """Whether the program runs with --write, so that a probe may do what cannot be undone."""
        return self.writer is not None and self.writer.mode is Mode.WRITE


def probe_writer(api: Api, mode: Mode = Mode.READ_ONLY) -> Writer:
    """Opens the one door for writing to probes: it admits dry runs, access reviews, and objects
    that carry our label; with --write also an ephemeral container that a human asked for."""
    return Writer(api, mode, Purpose.DEBUG_POD)


def operator_name() -> str:
    """user@host of the operator, for annotations and the record; "unknown@host" when the account
    has no name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
