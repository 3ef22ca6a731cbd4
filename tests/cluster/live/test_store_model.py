"""Whatever the server does in whatever order (changes, 410s, cuts, errors, torn streams), the store
ends as the server is."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.live.freshness import WatchState
from cluster.live.store import Key, StoreUpdate
from tests.cluster.fake import FakeCluster, answering, until
from tests.cluster.live.running import running, same

NAMES = st.sampled_from(["a", "b", "c", "d", "e", "f", "g"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), NAMES),
        st.tuples(st.just("put"), NAMES),
        st.tuples(st.just("remove"), NAMES),
        st.tuples(st.just("replace"), NAMES),
        st.tuples(st.just("compact"), st.just("")),
        st.tuples(st.just("cut"), st.just("")),
        st.tuples(st.just("error"), st.sampled_from(["410", "500", "429", "torn"])),
        st.tuples(st.just("wait"), st.just("")),
        st.tuples(st.just("turn"), st.just("")),
    ),
    max_size=25,
)


async def torn(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b'{"type":"ADDED","object":{"metadata":{"name":"ghost","name')
    assert request.transport is not None
    request.transport.abort()
    return response


ERRORS: dict[str, Any] = {
    "410": answering(410, "Expired"),
    "500": answering(500, "InternalError"),
    "429": answering(429, "TooManyRequests", headers={"Retry-After": "0"}),
    "torn": torn,
}


async def play(steps: list[tuple[str, str]], streaming: str, history: int) -> None:
    fake = FakeCluster(streaming=streaming, history=history)
    await fake.start()
    model: dict[Key, str] = {}

    def follow(changes: list[StoreUpdate]) -> None:
        """A reader that knows the changes alone must see the same state."""
        for change in changes:
            before = change.old.metadata.resource_version if change.old is not None else None
            assert model.get(change.key) == before
            if change.new is None:
                del model[change.key]
            else:
                model[change.key] = change.new.metadata.resource_version

    try:
        await fake.put("a")
        async with running(fake) as live:
            for what, argument in steps:
                match what:
                    case "put":
                        await fake.put(argument, node=f"node-{fake.version % 3}")
                    case "remove":
                        await fake.remove(argument)
                    case "replace":
                        await fake.remove(argument)
                        await fake.put(argument)
                    case "compact":
                        await fake.compact()
                    case "cut":
                        for request in fake.requests:
                            if request.transport is not None:
                                request.transport.abort()
                    case "error":
                        fake.answers.append(ERRORS[argument])
                    case "wait":
                        await until(same(live, fake))
                        follow(live.drain())
                    case _:
                        follow(live.drain(1))
                        await asyncio.sleep(0)
            fake.answers.clear()
            await until(
                lambda: same(live, fake)() and live.freshness()["Pod"].state is WatchState.LIVE
            )
            follow(live.drain())
            assert model == {
                key: row.metadata.resource_version for key, row in live.store.rows("Pod").items()
            }
            for node in ("node-0", "node-1", "node-2"):
                ours = {
                    key for key, row in live.store.rows("Pod").items() if row.spec.node_name == node
                }
                assert set(live.store.pods_on(node)) == ours
            assert set(live.store.in_namespace("Pod", "default")) == set(model)
    finally:
        await fake.stop()


@settings(max_examples=30)
@given(STEPS, st.sampled_from(["yes", "no"]), st.sampled_from([3, 1000]))
def test_any_interleaving_ends_as_the_server_is(
    steps: list[tuple[str, str]], streaming: str, history: int
) -> None:
    asyncio.run(play(steps, streaming, history))
