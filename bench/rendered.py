"""An API server that sends rendered answers, so that the client alone is measured.

`python -m bench.rendered FOLDER PODS [OPTION ...]` renders a cluster into FOLDER, writes
FOLDER/kubeconfig and serves until it is ended. Pages are ranges of a file, sent by the kernel.
Kinds other than pods, ReplicaSets and nodes are empty. Rows of a Table carry the whole metadata,
managedFields included, as those of a real API server do.
`POST /bench/break/N` breaks pod N and sends the change to all watches; `POST /bench/mend/N` the
reverse; `GET /bench/load` gives the requests, bytes and flooded changes so far.
"""

from __future__ import annotations

import argparse
import base64
import itertools
import json
import queue
import re
import socket
import socketserver
import ssl
import subprocess
import sys
import time
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from bench.population import BROKEN, breaking, pod, rendered_nodes, rendered_owners, rendered_pods
from cluster.kube.kinds import KINDS, Kind

KUBECONFIG = """apiVersion: v1
kind: Config
clusters: [{{name: rendered, cluster: {cluster}}}]
contexts: [{{name: rendered, context: {{cluster: rendered, user: bench}}}}]
current-context: rendered
users: [{{name: bench, user: {{}}}}]
"""
FLOODED = 2_000
"""Objects of a kind that a flood changes in turn."""
FIRST_VERSION = 20_000_000
"""Of the first change of a flood."""
COMPRESSED = 128 << 10
"""Bytes from which a list is compressed, at level 1, for a client that asks for gzip (apiserver
`endpoints/handlers/responsewriters`)."""
_VERSION = re.compile(rb'"resourceVersion":"\d+"')
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

    def first(self, count: int) -> list[tuple[bytes, bytes]]:
        """The first objects, as what stands before and after the number of their version."""
        with self.path.open("rb") as file:
            body = [
                file.read(end - start)[:-1]
                for start, end in itertools.pairwise(self.starts[: count + 1])
            ]
        halves = []
        for one in body:
            found = _VERSION.search(one)
            assert found is not None
            at = found.start() + len(b'"resourceVersion":"')
            halves.append((one[:at], one[found.end() - 1 :]))
        return halves


@dataclass(frozen=True)
class Flood:
    """`rate` changes a second on each watch of `kinds` (of all when it is empty), `total` of them
    (0: without end)."""

    rate: float = 0.0
    kinds: tuple[str, ...] = ()
    total: int = 0

    def on(self, kind: Kind) -> bool:
        return self.rate > 0 and (not self.kinds or kind.name in self.kinds)


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
        flood: Flood,
        compress: bool,
        tls: ssl.SSLContext | None,
    ) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.delay, self.flood, self.compress = files, delay, flood, compress
        self.now, self.broken_each, self.tls = now, broken_each, tls
        self.pods = files["Pod"].first(FLOODED) if "Pod" in flood.kinds else []
        """What a flood of pods alone changes: whole pods, of which the version differs."""
        self.watches: list[queue.SimpleQueue[bytes]] = []
        self.version = 10_000_000
        self.requests = self.sent = self.flooded = 0

    def get_request(self) -> tuple[Any, Any]:
        """The handshake of TLS runs in the thread of the connection."""
        connection, address = super().get_request()
        if self.tls is not None:
            connection = self.tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that ends resets its connections; that is no fault."""
        if not isinstance(sys.exception(), (ConnectionError, ssl.SSLError)):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # typed narrower

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
            server = self.server
            figures = {"requests": server.requests - 1, "bytes": server.sent}
            self._answer({**figures, "flooded": server.flooded})
        elif url.path in ("/readyz", "/livez"):
            self._head(200, 2, kind="text/plain")
            self.wfile.write(b"ok")
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
        asked = "gzip" in self.headers.get("Accept-Encoding", "")
        if found and self.server.compress and asked and last - first > COMPRESSED:
            self._compressed(opening, found, first, last)
            return
        self._head(200, len(opening) + last - first + 2)
        self.wfile.write(opening)
        if found and last > first:
            with found.path.open("rb") as file:
                self.connection.sendfile(file, first, last - first)
        self.wfile.write(b"]}")
        self.server.sent += last - first + len(opening) + 2

    def _compressed(self, opening: bytes, found: Rendered, first: int, last: int) -> None:
        with found.path.open("rb") as file:
            file.seek(first)
            body = file.read(last - first)
        packer = zlib.compressobj(1, wbits=31)
        parts = [packer.compress(part) for part in (opening, body, b"]}")]
        packed = b"".join((*parts, packer.flush()))
        self._head(200, len(packed), encoding="gzip")
        self.wfile.write(packed)
        self.server.sent += len(packed)

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
            if self.server.flood.on(kind):
                self._flood(kind)
            while True:
                self._chunk(changes.get())
        except OSError:
            self.close_connection = True
        finally:
            if changes in self.server.watches:
                self.server.watches.remove(changes)

    def _flood(self, kind: Kind) -> None:
        """Changes of `FLOODED` objects in turn."""
        flood, whole = self.server.flood, self.server.pods if kind.name == "Pod" else []
        began, sent = time.monotonic(), 0
        while not flood.total or sent < flood.total:
            due = int((time.monotonic() - began) * flood.rate)
            due = min(due, flood.total) if flood.total else due
            if due > sent:
                changes = range(sent, due)
                self._chunk(b"".join(_flooded(kind, number, whole) for number in changes))
                self.server.flooded += due - sent
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

    def _head(
        self, status: int, length: int, encoding: str = "", kind: str = "application/json"
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        if encoding:
            self.send_header("Content-Encoding", encoding)
        self.end_headers()


def _flooded(kind: Kind, number: int, whole: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A change of one object, of which the version differs each time; without `whole` objects, of a
    small one, of which a label differs too."""
    version = FIRST_VERSION + number
    if whole:
        before, after = whole[number % len(whole)]
        return b'{"type":"MODIFIED","object":%b%d%b}\n' % (before, version, after)
    name = f"flood-{number % FLOODED}"
    return (
        b'{"type":"MODIFIED","object":{"kind":"%b","metadata":{"name":"%b","namespace":"%b","uid":'
        b'"%b","resourceVersion":"%d","labels":{"turn":"%d"}}}}\n'
    ) % (
        kind.name.encode(),
        name.encode(),
        b"flood" if kind.namespaced else b"",
        name.encode(),
        version,
        number,
    )


def last_versions(changes: int, objects: int) -> set[str]:
    """The versions that so many objects have after a flood of so many changes."""
    return {str(FIRST_VERSION + number) for number in range(max(0, changes - objects), changes)}


def _resources(version: str) -> dict[str, object]:
    """The kinds of one group and version, as discovery gives them."""
    kinds = [kind for kind in KINDS if kind.api_version == version]
    return {
        "kind": "APIResourceList",
        "groupVersion": version,
        "resources": [
            {
                "name": kind.plural,
                "singularName": kind.name.lower(),
                "namespaced": kind.namespaced,
                "kind": kind.name,
                "verbs": ["get", "list", "watch"],
            }
            for kind in kinds
        ],
    }


def _documents() -> dict[str, object]:
    versions = {kind.api_version for kind in KINDS}
    groups: dict[str, list[str]] = {}
    for version in sorted(versions - {"v1"}):
        groups.setdefault(version.partition("/")[0], []).append(version)
    return {
        "/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.4"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": [
                {
                    "name": group,
                    "versions": [
                        {"groupVersion": each, "version": each.rpartition("/")[2]}
                        for each in offered
                    ],
                    "preferredVersion": {
                        "groupVersion": offered[0],
                        "version": offered[0].rpartition("/")[2],
                    },
                }
                for group, offered in groups.items()
            ],
        },
        "/api/v1/namespaces/kube-system": {
            "metadata": {"name": "kube-system", "uid": "uid-system"}
        },
        **{
            f"/api/{each}" if each == "v1" else f"/apis/{each}": _resources(each)
            for each in versions
        },
    }


_DOCUMENTS = _documents()


def _rows(objects: Rendered) -> Iterator[bytes]:
    """Rows of a Table, as kubectl asks for them: cells and the whole metadata."""
    with objects.path.open("rb") as file:
        for start, end in itertools.pairwise(objects.starts):
            meta = _metadata.decode(file.read(end - start)[:-1]).metadata
            name = msgspec.json.decode(bytes(meta), type=dict[str, Any])["name"]
            head = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
            yield msgspec.json.encode(
                {"cells": [name, "1/1", "Running", "0", "2h"], "object": {**head, "metadata": meta}}
            )


class _Metadata(msgspec.Struct):
    metadata: msgspec.Raw


_metadata = msgspec.json.Decoder(_Metadata)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.rendered", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("pods", type=int)
    parser.add_argument("--nodes", type=int, default=0, help="by default one for 30 pods")
    parser.add_argument("--broken-each", type=int, default=BROKEN)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that each list takes")
    parser.add_argument("--flood", type=float, default=0.0, help="changes a second on every watch")
    parser.add_argument("--flood-kind", action="append", default=[], help="flood these kinds alone")
    parser.add_argument("--flood-total", type=int, default=0, help="end a flood after so many")
    parser.add_argument("--apart", action="store_true", help="no broken pod shares its cause")
    parser.add_argument("--gzip", action="store_true", help="compress lists, as API servers do")
    parser.add_argument("--tls", action="store_true", help="with a certificate made for it")
    options = parser.parse_args()
    now = datetime.now(UTC) - timedelta(minutes=1)
    nodes = options.nodes or max(3, options.pods // 30)
    folder: Path = options.folder
    files = {name: Rendered(folder / f"{name}.json") for name in ("Pod", "ReplicaSet", "Node")}
    files["Pod"].write(
        rendered_pods(options.pods, options.broken_each, nodes, now, apart=options.apart)
    )
    files["ReplicaSet"].write(rendered_owners(options.pods, options.broken_each, now))
    files["Node"].write(rendered_nodes(nodes, now))
    for name in tuple(files):
        files[f"{name}.table"] = table = Rendered(folder / f"{name}.table.json")
        table.write(_rows(files[name]))
    tls, authority = _certificate(folder) if options.tls else (None, b"")
    server = Server(
        files,
        now=now,
        broken_each=options.broken_each,
        delay=options.delay,
        flood=Flood(options.flood, tuple(options.flood_kind), options.flood_total),
        compress=options.gzip,
        tls=tls,
    )
    address = f"127.0.0.1:{server.server_address[1]}"
    cluster = {"server": f"http://{address}"}
    if authority:
        trusted = base64.b64encode(authority).decode()
        cluster = {"server": f"https://{address}", "certificate-authority-data": trusted}
    written = folder / "kubeconfig.new"
    written.write_text(KUBECONFIG.format(cluster=json.dumps(cluster)))
    written.rename(folder / "kubeconfig")
    print(json.dumps({kind: len(rows) for kind, rows in files.items()}), file=sys.stderr)
    server.serve_forever()


def _certificate(folder: Path) -> tuple[ssl.SSLContext, bytes]:
    """A context for the server, and the certificate that its clients trust: self-signed, for
    127.0.0.1, made by openssl."""
    certificate, key = folder / "server.crt", folder / "server.key"
    made = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    named = ["-subj", "/CN=rendered", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*made.split(), *named, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate.read_bytes()


if __name__ == "__main__":
    main()
