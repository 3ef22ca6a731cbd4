"""Keeps the credential of one user valid: reads files again and runs plug-ins again, one refresh at
a time."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cluster.connect.access import Access, User
from cluster.connect.exec_plugin import TIME_LIMIT, run_plugin
from cluster.connect.users import certificate_sentence
from cluster.errors import CredentialError
from cluster.kube.text import clean_line

FILE_PERIOD = timedelta(seconds=10)
"""Time after which tokens and certificates in files are read again (client-go: one minute)."""
RETRY_PERIOD = timedelta(seconds=20)
"""Least time between two runs of a plug-in that no expiry caused, such as after a refused login."""
EARLY = timedelta(minutes=5)
"""Longest time before its expiry at which a credential is renewed."""


@dataclass(frozen=True, slots=True)
class Credential:
    """Headers and client certificate of a request. `generation` grows with each change, `identity`
    when the certificate changes."""

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    certificate_pem: bytes | None = field(default=None, repr=False)
    key_pem: bytes | None = field(default=None, repr=False)
    generation: int = 0
    identity: int = 0


class Credentials:
    """The current credential of `access.user`."""

    def __init__(
        self,
        access: Access,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        plugin_limit: float = TIME_LIMIT,
    ) -> None:
        self._access = access
        self._clock = clock
        self._plugin_limit = plugin_limit
        self._lock = asyncio.Lock()
        self._current: Credential | None = None
        self._due: datetime | None = None
        self._expires: datetime | None = None
        self._asked: datetime | None = None
        self._failure: tuple[datetime, CredentialError] | None = None
        self._login_began: datetime | None = None

    async def current(self) -> Credential:
        """A credential that is not known to be invalid. Raises `CredentialError`."""
        if self._current is not None and self._holds():
            return self._current
        async with self._lock:
            if self._current is not None and self._holds():
                return self._current
            if self._failure is not None and self._clock() < self._failure[0]:
                raise self._failure[1]  # thirty waiting watches must not start thirty logins
            expires = self._expires
            try:
                return await self._load()
            except CredentialError as error:
                again = self._clock() + RETRY_PERIOD
                self._due, self._expires = again, expires
                if self._current is None or (expires is not None and self._clock() >= expires):
                    self._failure = (again, error)
                    raise
                return self._current  # still valid

    def _holds(self) -> bool:
        return self._failure is None and not self.due()

    def due(self) -> bool:
        """Whether the credential should be renewed, which `current` does."""
        return self._current is not None and self._due is not None and self._clock() >= self._due

    def waiting(self, patience: float) -> str:
        """A sentence when there is no credential and a plug-in has run for more than `patience`
        seconds, else ""."""
        plugin, began = self._access.user.exec, self._login_began
        if plugin is None or began is None or self._current is not None:
            return ""
        seconds = (self._clock() - began).total_seconds()
        if seconds <= patience:
            return ""
        return (
            f"Exec plug-in {clean_line(plugin.command, 200)} has not given a credential since "
            f"{began:%H:%M:%S} UTC; run it by hand, it may wait for a login."
        )

    def loaded(self) -> Credential:
        """The present credential, or an empty one. Never waits."""
        return self._current or Credential()

    async def renew(self, used: Credential) -> bool:
        """After a 401 with `used`: get another credential. True when there is one. Raises
        `CredentialError`."""
        async with self._lock:
            if self._current is not None and self._current.generation != used.generation:
                return True  # another request has renewed it meanwhile
            user = self._access.user
            if user.exec is None and user.token_file is None and user.certificate_file is None:
                return False
            now = self._clock()
            if user.exec is not None and not user.token_file:
                if self._asked is not None and now - self._asked < RETRY_PERIOD:
                    return False
                self._asked = now
            return (await self._load()).generation != used.generation

    def explanation(self) -> str:
        """Why the server may have refused this user: a sentence about its certificate, or ""."""
        return certificate_sentence(self._access.user, self._clock())

    async def _load(self) -> Credential:
        user = self._access.user
        now = self._clock()
        token, certificate, key = user.token, user.certificate_pem, user.key_pem
        self._due = self._expires = None
        self._failure = None
        if (
            user.exec is not None
            and not (token or user.token_file)
            and certificate is None
            and user.certificate_file is None
        ):
            self._login_began = now
            try:
                given = await run_plugin(self._access, user.exec, self._plugin_limit)
            finally:
                self._login_began = None
            token, certificate, key = given.token, given.certificate_pem, given.key_pem
            self._expires = given.expires
            if given.expires is not None:
                self._due = given.expires - min(EARLY, max(timedelta(), (given.expires - now) / 5))
        else:
            token = await _file_token(user) or token
            certificate = (
                certificate or (await _bytes(user.certificate_file, "client certificate")) or None
            )
            key = key or (await _bytes(user.key_file, "client key")) or None
            if user.token_file or user.certificate_file or user.key_file:
                self._due = now + FILE_PERIOD
        headers: list[tuple[str, str]] = []
        if token:
            headers.append(("Authorization", f"Bearer {token}"))
        elif user.username:
            pair = base64.b64encode(f"{user.username}:{user.password}".encode()).decode()
            headers.append(("Authorization", f"Basic {pair}"))
        headers += user.impersonation
        for _, value in headers:
            if "\n" in value or "\r" in value or not value.isascii():
                raise CredentialError(
                    f"The credential of user {user.name!r} holds characters that no header can "
                    "carry; log in again."
                )
        return self._accept(tuple(headers), certificate, key)

    def _accept(
        self, headers: tuple[tuple[str, str], ...], certificate: bytes | None, key: bytes | None
    ) -> Credential:
        old = self._current
        if old is not None and (old.headers, old.certificate_pem, old.key_pem) == (
            headers,
            certificate,
            key,
        ):
            return old
        changed = old is None or (old.certificate_pem, old.key_pem) != (certificate, key)
        generation = old.generation + 1 if old is not None else 1
        identity = (old.identity if old is not None else 0) + (1 if changed else 0)
        self._current = Credential(headers, certificate, key, generation, identity)
        return self._current


async def _file_token(user: User) -> str:
    """The token of the file, "" without a file. Raises `CredentialError` where there is no other
    token."""
    try:
        return (await _bytes(user.token_file, "token")).decode("utf-8", "replace").strip()
    except CredentialError:
        if user.token:
            return ""
        raise


async def _bytes(path: Path | None, what: str) -> bytes:
    if path is None:
        return b""
    try:
        return await asyncio.to_thread(path.read_bytes)
    except OSError as error:
        raise CredentialError(
            f"The {what} file {path} cannot be read: {error.strerror}; check the path in the "
            "kubeconfig."
        ) from error
