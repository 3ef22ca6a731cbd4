"""An API server that sends rendered answers, so that the client alone is measured.

`python -m bench.rendered FOLDER PODS [--nodes N] [--broken-each N] [--delay S] [--flood N]` renders
a cluster into FOLDER, writes FOLDER/kubeconfig and serves until it is ended. Pages are ranges of a
file, sent by the kernel. Kinds other than pods, ReplicaSets and nodes are empty.
`POST /bench/break/N` breaks pod N and sends the change to all watches; `POST /bench/mend/N` the
reverse; `GET /bench/load` gives the requests and bytes so far.
"""

from __future__ import annotations

import argparse
import json
import queue
import re
import socket
import socketserver
import sys
import time
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from subprocess import DEVNULL, Popen
from urllib.parse import parse_qs, urlsplit

import msgspec

from bench.population import BROKEN, breaking, pod, rendered_nodes, rendered_owners, rendered_pods
from cluster.kube.kinds import KINDS, Kind

KUBECONFIG = """apiVersion: v1
kind: Config
clusters: [{{name: rendered, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
contexts: [{{name: rendered, context: {{cluster: rendered, user: bench}}}}]
current-context: rendered
users: [{{name: bench, user: {{}}}}]
"""
FLOODED = 2_000
"""Objects of a kind that a flood changes in turn."""
_PATHS = {kind.path(""): kind for kind in KINDS}
_TABLE_COLUMNS = [
    {"name": name, "type": "string", "format": "", "description": "", "priority": 0}
    for name in ("Name", "Ready", "Status", "Restarts", "Age")
]


@dataclass
class Rendered:
    """Objects of one kind, joined by commas in a file; `starts` has the offset of each, and the end
    of the last."""

    path: Path
    starts: array[int] = field(default_factory=lambda: array("Q", [0]))

    def write(self, objects: Iterable[bytes]) -> None:
        with self.path.open("wb", 1 << 22) as file:
            for one in objects:
                file.write(one)
                file.write(b",")
                self.starts.append(self.starts[-1] + len(one) + 1)

    def __len__(self) -> int:
        return len(self.starts) - 1


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(
        self,
        files: dict[str, Rendered],
        *,
        now: datetime,
        broken_each: int,
        delay: float,
        flood: float,
    ) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.delay, self.flood = files, delay, flood
        self.now, self.broken_each = now, broken_each
        self.watches: list[queue.SimpleQueue[bytes]] = []
        self.version = 10_000_000
        self.requests = self.sent = 0

    def change(self, number: int, broken: bool) -> None:
        """Send a pod as broken or mended to all watches of pods."""
        self.version += 1
        usual = pod(number, self.broken_each, now=self.now)
        one = breaking(number, datetime.now(UTC)) if broken else usual
        one["metadata"] = {**usual["metadata"], "resourceVersion": str(self.version)}
        line = msgspec.json.encode({"type": "MODIFIED", "object": one}) + b"\n"
        for watch in self.watches:
            watch.put(line)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: it would cost more than the answers."""

    def do_POST(self) -> None:
        found = re.fullmatch(r"/bench/(break|mend)/(\d+)", self.path)
        if found is None:
            self._answer({"kind": "Status", "code": 404}, 404)
            return
        self.server.change(int(found[2]), found[1] == "break")
        self._answer({})

    def do_GET(self) -> None:
        self.server.requests += 1
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/bench/load":
            self._answer({"requests": self.server.requests - 1, "bytes": self.server.sent})
        elif url.path in ("/readyz", "/livez"):
            self._answer("ok")
        elif kind := _PATHS.get(url.path):
            if "sendInitialEvents" in query:
                self._answer({"kind": "Status", "reason": "Invalid", "code": 422}, 422)
            elif query.get("watch"):
                self._watch(kind)
            else:
                self._list(kind, query)
        else:
            document = _DOCUMENTS.get(url.path)
            self._answer(document or {"kind": "Status", "code": 404}, 200 if document else 404)

    def _list(self, kind: Kind, query: dict[str, str]) -> None:
        if self.server.delay:
            time.sleep(self.server.delay)
        table = "as=Table" in self.headers.get("Accept", "")
        name = f"{kind.name}.table" if table else kind.name
        found = self.server.files.get(name)
        total = 0 if not found or "labelSelector" in query else len(found)
        start = int(query.get("continue", "0"))
        stop = min(total, start + (int(query.get("limit", "0")) or total))
        meta: dict[str, object] = {"resourceVersion": str(self.server.version)}
        if stop < total:
            meta |= {"continue": str(stop), "remainingItemCount": total - stop}
        version = "meta.k8s.io/v1" if table else "v1"
        head = {"kind": "Table" if table else f"{kind.name}List", "apiVersion": version}
        body = {"columnDefinitions": _TABLE_COLUMNS} if table else {}
        opening = msgspec.json.encode({**head, "metadata": meta, **body})[:-1]
        opening += b',"rows":[' if table else b',"items":['
        first, last = (
            (found.starts[start], found.starts[stop] - 1) if stop > start and found else (0, 0)
        )
        self._head(200, len(opening) + last - first + 2)
        self.wfile.write(opening)
        if found and last > first:
            with found.path.open("rb") as file:
                self.connection.sendfile(file, first, last - first)
        self.wfile.write(b"]}")
        self.server.sent += last - first + len(opening) + 2

    def _watch(self, kind: Kind) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        changes: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        if kind.name == "Pod":
            self.server.watches.append(changes)
        try:
            if self.server.flood:
                self._flood(kind)
            while True:
                self._chunk(changes.get())
        except OSError:
            self.close_connection = True
        finally:
            if changes in self.server.watches:
                self.server.watches.remove(changes)

    def _flood(self, kind: Kind) -> None:
        """`flood` changes a second without end, of `FLOODED` objects in turn."""
        began, sent = time.monotonic(), 0
        while True:
            due = int((time.monotonic() - began) * self.server.flood)
            if due > sent:
                self._chunk(b"".join(_flooded(kind, number) for number in range(sent, due)))
                sent = due
            time.sleep(0.01)

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.server.sent += len(data)

    def _answer(self, document: object, status: int = 200) -> None:
        body = msgspec.json.encode(document)
        self._head(status, len(body))
        self.wfile.write(body)
        self.server.sent += len(body)

    def _head(self, status: int, length: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(length))
        self.end_headers()


def _flooded(kind: Kind, number: int) -> bytes:
    """A change of one object, of which the version and a label differ each time."""
    name = f"flood-{number % FLOODED}"
    return (
        b'{"type":"MODIFIED","object":{"kind":"%b","metadata":{"name":"%b","namespace":"%b","uid":'
        b'"%b","resourceVersion":"%d","labels":{"turn":"%d"}}}}\n'
    ) % (
        kind.name.encode(),
        name.encode(),
        b"flood" if kind.namespaced else b"",
        name.encode(),
        20_000_000 + number,
        number,
    )


_DOCUMENTS: dict[str, object] = {
    "/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.4"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/api/v1": {
        "kind": "APIResourceList",
        "groupVersion": "v1",
        "resources": [
            {
                "name": "pods",
                "singularName": "pod",
                "namespaced": True,
                "kind": "Pod",
                "verbs": ["get", "list", "watch"],
            }
        ],
    },
    "/api/v1/namespaces/kube-system": {"metadata": {"name": "kube-system", "uid": "uid-system"}},
}


def _rows(pods: int, now: datetime) -> Iterator[bytes]:
    """Rows of a Table, as kubectl asks for them."""
    for number in range(pods):
        meta = pod(number, now=now)["metadata"]
        cells = [meta["name"], "1/1", "Running", "0", "2h"]
        metadata = {
            "kind": "PartialObjectMetadata",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": meta,
        }
        yield msgspec.json.encode({"cells": cells, "object": metadata})


@contextmanager
def rendered(folder: Path, pods: int, *options: str) -> Iterator[Path]:
    """A server in a process of its own; gives its kubeconfig. Raises RuntimeError when it does not
    start within 300 s."""
    kubeconfig = folder / "kubeconfig"
    kubeconfig.unlink(missing_ok=True)
    command = [sys.executable, "-m", "bench.rendered", str(folder), str(pods), *options]
    with Popen(command, stdin=DEVNULL) as server:
        try:
            for _ in range(3_000):
                if kubeconfig.exists():
                    break
                if server.poll() is not None:
                    raise RuntimeError("the rendered server did not start")
                time.sleep(0.1)
            else:
                raise RuntimeError("the rendered server did not start within 300 s")
            yield kubeconfig
        finally:
            server.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.rendered", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("pods", type=int)
    parser.add_argument("--nodes", type=int, default=0, help="by default one for 30 pods")
    parser.add_argument("--broken-each", type=int, default=BROKEN)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that each list takes")
    parser.add_argument("--flood", type=float, default=0.0, help="changes a second on every watch")
    options = parser.parse_args()
    now = datetime.now(UTC) - timedelta(minutes=1)
    nodes = options.nodes or max(3, options.pods // 30)
    folder: Path = options.folder
    kinds = ("Pod", "Pod.table", "ReplicaSet", "Node")
    files = {name: Rendered(folder / f"{name}.json") for name in kinds}
    files["Pod"].write(rendered_pods(options.pods, options.broken_each, nodes, now))
    files["Pod.table"].write(_rows(options.pods, now))
    files["ReplicaSet"].write(rendered_owners(options.pods, options.broken_each, now))
    files["Node"].write(rendered_nodes(nodes, now))
    server = Server(
        files, now=now, broken_each=options.broken_each, delay=options.delay, flood=options.flood
    )
    written = folder / "kubeconfig.new"
    written.write_text(KUBECONFIG.format(port=server.server_address[1]))
    written.rename(folder / "kubeconfig")
    print(json.dumps({kind: len(rows) for kind, rows in files.items()}), file=sys.stderr)
    server.serve_forever()


if __name__ == "__main__":
    main()
