"""Answers to requests for resources: reads, watches and writes."""

from __future__ import annotations

import asyncio
import json

from aiohttp import web

from drills.api import protobuf, reads
from drills.api import watch as watching
from drills.api.kinds import REVIEWS
from drills.api.objects import Obj
from drills.api.problems import bad_request, details_of, method_not_allowed, success
from drills.api.requests import Form, QueryParameters, RequestInfo, negotiate
from drills.api.store import StoredObject
from drills.server import reviews
from drills.server.state import ServerState

JSON = "application/json"


def json_response(body: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=reads.encode(body), content_type=JSON)


async def read_body(request: web.Request) -> Obj:
    """The object in a body; empty without one. Raises ApiProblem: 400, 415."""
    raw = await request.read()
    if not raw:
        return {}
    if raw.startswith(protobuf.MAGIC):
        return protobuf.decode(raw)
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise bad_request(f"the body is not valid JSON: {error}") from error
    if not isinstance(body, dict):
        raise bad_request("the body is not an object")
    return body


class ResourceHandler:
    """One request for a resource. `cut`: bytes after which the answer breaks off (a fault)."""

    def __init__(
        self,
        state: ServerState,
        request: web.Request,
        target: RequestInfo,
        query: QueryParameters,
        verb: str,
        cut: int | None,
    ) -> None:
        self.state, self.store, self.request = state, state.store, request
        self.target, self.kind, self.query, self.verb, self.cut = (
            target,
            target.kind,
            query,
            verb,
            cut,
        )
        self.form = negotiate(request.headers.get("Accept", ""), query)
        self.agent = request.headers.get("User-Agent", "")

    async def answer(self) -> web.StreamResponse:
        """Raises ApiProblem."""
        if self.verb in {"list", "watch"} and self.query.flag("watch"):
            return await self._watch()
        if self.verb == "list":
            if self.kind.plural in REVIEWS:
                raise method_not_allowed()
            now = self.state.clock()
            body = reads.list_body(self.store, self.target, self.query, self.form, now)
            return await self.send(body)
        if self.verb == "get":
            return await self.send(self._body_of(self.present()))
        return await self.write()

    def present(self) -> StoredObject:
        """Raises ApiProblem (404)."""
        return self.store.get(self.kind, self.target.namespace, self.target.name)

    def _body_of(self, entry: StoredObject, form: Form | None = None) -> bytes:
        return reads.one(self.kind, entry, form or self.form, self.state.clock())

    def _reply(
        self, entry: StoredObject, status: int = 200, form: Form | None = None
    ) -> web.Response:
        body = self._body_of(entry, form)
        return web.Response(status=status, body=body, content_type=JSON)

    # --- writes

    async def write(self) -> web.StreamResponse:
        """Raises ApiProblem."""
        target, query, writes, named = self.target, self.query, self.state.writes, self.target.name
        if self.verb == "create" and (not named or self.kind.plural in REVIEWS):
            return await self._create()
        if self.verb == "update" and named:
            body = await read_body(self.request)
            return self._reply(writes.update(target, body, query, self.agent).entry)
        if self.verb == "patch" and named:
            raw, form = await self.request.read(), self.request.headers.get("Content-Type", "")
            done = writes.patch(target, raw, form, query, self.agent)
            return self._reply(done.entry, 201 if done.created else 200)
        if self.verb == "delete":
            return await self._delete()
        if self.verb == "deletecollection":
            return await self._delete_all()
        raise method_not_allowed()

    async def _create(self) -> web.StreamResponse:
        body = await read_body(self.request)
        if self.kind.plural in REVIEWS:
            return json_response(reviews.answer(self.kind.plural, body, self.state.faults), 201)
        made = self.state.writes.create(self.target, body, self.query, self.agent)
        if self.kind.plural == "customresourcedefinitions" and not self.query.dry_run:
            self.state.kinds.add_definition(made.entry.obj)
        return self._reply(made.entry, 201)

    async def _delete(self) -> web.StreamResponse:
        options = await read_body(self.request)
        last, gone = self.state.writes.delete(self.target, options, self.query)
        if self.kind.plural == "pods" or not gone:
            return self._reply(last, form=Form())
        details = details_of(self.kind, self.target.name, uid=last.obj["metadata"]["uid"])
        return json_response(success(details))

    async def _delete_all(self) -> web.StreamResponse:
        options = await read_body(self.request)
        match, _ = reads.selection(self.target, self.query)
        entries = self.store.entries(self.kind, self.target.namespace)
        chosen = [entry for entry in entries if match(entry.obj)]
        for entry in chosen:
            meta = entry.obj["metadata"]
            one = RequestInfo(self.kind, meta.get("namespace", ""), meta["name"])
            self.state.writes.delete(one, options, self.query)
        return json_response(
            {
                "kind": f"{self.kind.kind}List",
                "apiVersion": self.kind.api_version,
                "metadata": {"resourceVersion": str(self.store.version)},
                "items": [entry.obj for entry in chosen],
            }
        )

    # --- streams

    async def _watch(self) -> web.StreamResponse:
        state, target, query = self.state, self.target, self.query
        watching.check(self.store, target, query)
        subscription = watching.Subscription(self.store, self.kind, asyncio.get_running_loop())
        response = web.StreamResponse(headers={"Content-Type": JSON})
        await response.prepare(self.request)
        state.streams.subscriptions.add(subscription)
        state.streams.requests[id(self.request)] = self.request
        stream = watching.WatchStream(
            self.store,
            target,
            query,
            self.form,
            subscription,
            now=state.clock,
            seconds=query.number("timeoutSeconds") or state.random.randint(1800, 3600),
            bookmark_every=state.bookmark_seconds,
        )
        left = self.cut
        try:
            async for data in stream.pieces():
                await state.faults.thawed()
                await response.write(data if left is None else data[: max(0, left)])
                if left is not None:
                    left -= len(data)
                    if left < 0:
                        self._hang_up()
                        return response
            await response.write_eof()
        except ConnectionError:
            pass  # A client ends a watch by closing the connection.
        finally:
            subscription.close()
            state.streams.subscriptions.discard(subscription)
            state.streams.requests.pop(id(self.request), None)
        return response

    async def send(self, body: bytes, content_type: str = JSON) -> web.StreamResponse:
        if self.cut is None or self.cut >= len(body):
            return web.Response(body=body, content_type=content_type)
        length = {"Content-Type": content_type, "Content-Length": str(len(body))}
        response = web.StreamResponse(headers=length)
        await response.prepare(self.request)
        await response.write(body[: self.cut])
        self._hang_up()
        return response

    def _hang_up(self) -> None:
        if self.request.transport is not None:
            self.request.transport.close()
