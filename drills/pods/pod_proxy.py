"""Pods and Services through the API server: its proxy, and port-forward over WebSocket
(v4.channel.k8s.io).

The proxy dials the pod from the API server: no policy of a namespace applies, and only those
`exec.connect` rules that have no source. Port-forward dials localhost in the pod's network, so only
the process decides. An open port answers with a short page.
"""

from __future__ import annotations

import asyncio

from aiohttp import WSMsgType, web

from drills.api.objects import Obj, dig, target_port
from drills.api.problems import bad_request, not_implemented, server_error
from drills.pods.connectivity import Network, listens

PROTOCOLS = ("v4.channel.k8s.io",)
PAGE = "ok\n"
_DATA, _ERROR = b"\x00", b"\x01"
_WORDS = {
    "refused": "connect: connection refused",
    "noroute": "connect: no route to host",
    "netunreach": "connect: network is unreachable",
    "timeout": "i/o timeout",
}


def service_backend(network: Network, service: Obj, wanted: str) -> tuple[Obj, int]:
    """The pod and port for `wanted` (number or name; "" when the Service has only one port). Raises
    ApiProblem."""
    name, ports = service["metadata"]["name"], service["spec"].get("ports") or []
    if not wanted and len(ports) == 1:
        wanted = str(ports[0]["port"])
    port = next((p for p in ports if wanted in (p.get("name"), str(p["port"]))), None)
    if port is None:
        raise server_error(503, f'no service port {wanted} found for service "{name}"')
    backends = network.backends(service)
    if not backends:
        raise server_error(503, f'no endpoints available for service "{name}"')
    return backends[0], target_port(backends[0], port)


def dial(network: Network, pod: Obj, port: int) -> None:
    """Raises ApiProblem with the message of the API server's dialler when the pod is not
    reached."""
    address = dig(pod, "status", "podIP", default="")
    if not address:
        raise bad_request("address not allowed")
    said = network.from_control_plane(pod, port).said
    if said != "open":
        why = f"dial tcp {address}:{port}: {_WORDS.get(said, said)}"
        raise server_error(503, f"error trying to reach service: {why}")


async def forward(request: web.Request, pod: Obj, ports: list[str]) -> web.StreamResponse:
    """One port-forward. Raises ApiProblem for what is refused before the upgrade."""
    if request.headers.get("Upgrade", "").lower() != "websocket":
        raise bad_request(
            "unable to upgrade: the embedded cluster speaks WebSocket only (v4.channel.k8s.io)"
        )
    if len(ports) != 1 or not ports[0].isdigit() or not 1 <= int(ports[0]) <= 65535:
        raise not_implemented(
            "the embedded cluster forwards one port at a time; ask for one port from 1 to 65535"
        )
    number = int(ports[0])
    socket = web.WebSocketResponse(protocols=PROTOCOLS)
    await socket.prepare(request)
    try:
        for channel in (_DATA, _ERROR):
            await socket.send_bytes(channel + number.to_bytes(2, "little"))
        if listens(pod, number):
            await _serve(socket)
        else:
            await socket.send_bytes(_ERROR + _refusal(pod, number).encode())
    except ConnectionError:
        pass  # The client left.
    finally:
        if not socket.closed:
            await socket.close()
    return socket


async def _serve(socket: web.WebSocketResponse) -> None:
    """Answer the first request as a small web server does. A silent client is dropped after a
    minute."""
    head = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(PAGE)}\r\n\r\n"
    try:
        async with asyncio.timeout(60):
            async for message in socket:
                binary = message.type is WSMsgType.BINARY and message.data[:1] == _DATA
                if binary and len(message.data) > 1:
                    await socket.send_bytes(_DATA + (head + PAGE).encode())
                    return
    except TimeoutError:
        return


def _refusal(pod: Obj, port: int) -> str:
    """The message of containerd."""
    sandbox = pod["metadata"]["uid"].replace("-", "")
    return (
        f"error forwarding port {port} to pod {sandbox}, uid : failed to execute portforward in "
        'network namespace "/var/run/netns/cni": '
        f'failed to connect to localhost:{port} inside namespace "{sandbox}", IPv4: dial tcp4 '
        f"127.0.0.1:{port}: connect: connection "
        "refused IPv6 dial tcp6: address localhost: no suitable address found "
    )
