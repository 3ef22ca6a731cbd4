"""The story's faulty policy agent: one node rejects connections from one namespace, as an outdated
kube-router did.

It follows the pods as an agent would, so a pod that is created later (a debug pod of a probe) is
rejected too, a moment after it has its address.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.rungs.network import Namespace
from tests.rungs.programs.kubeconfig import connect

CHAIN = "STANCH-REJECT"


class Enforcement(threading.Thread):
    """Keeps the reject rules of one node in step with the pods of two namespaces.

    `kubeconfig` reads pods; `node` is where the rules stand, named as the Node is; connections from
    pods of `source`, wherever they run, to pods of `target` on this node are rejected with an ICMP
    port unreachable (iptables' default, and kube-router's choice).
    """

    def __init__(self, kubeconfig: Path, node: Namespace, source: str, target: str) -> None:
        super().__init__(name=f"enforcement-{node.name}", daemon=True)
        self._client = connect(kubeconfig)
        self._node = node
        self._namespaces = (source, target)
        self._addresses: dict[str, dict[str, str]] = {
            source: {},
            target: {},
        }  # namespace -> pod uid -> address
        self._written: str | None = None
        self._over = threading.Event()
        self.programmed = threading.Event()

    def run(self) -> None:
        while not self._over.is_set():
            try:
                self._follow()
            except (httpx.TransportError, httpx.HTTPStatusError):
                self._over.wait(
                    0.5
                )  # the API server is away (a test froze it); the rules stay as they are

    def stop(self) -> None:
        """Remove the rules and stop following."""
        self._over.set()
        self.join(15)
        if self._written is not None:
            self._restore(f"*filter\n-D FORWARD -j {CHAIN}\n-F {CHAIN}\n-X {CHAIN}\nCOMMIT\n")
        self._client.close()

    def _follow(self) -> None:
        listed = self._client.get("/api/v1/pods").raise_for_status().json()
        for namespace in self._addresses:
            self._addresses[namespace] = {}
        for pod in listed["items"]:
            self._note(pod, present=True)
        self._program()
        # A short watch, so that stop() need not interrupt it.
        query = {
            "watch": "1",
            "resourceVersion": listed["metadata"]["resourceVersion"],
            "timeoutSeconds": "5",
        }
        with self._client.stream("GET", "/api/v1/pods", params=query) as answer:
            answer.raise_for_status()
            pending = b""
            for chunk in answer.iter_raw():
                *lines, pending = (pending + chunk).split(b"\n")
                for event in map(json.loads, lines):
                    if event["type"] == "ERROR":
                        return
                    self._note(event["object"], present=event["type"] != "DELETED")
                self._program()
                if self._over.is_set():
                    return

    def _note(self, pod: dict[str, Any], *, present: bool) -> None:
        namespace = pod["metadata"]["namespace"]
        known = self._addresses.get(namespace)
        if known is None or (
            namespace == self._namespaces[1] and pod["spec"].get("nodeName") != self._node.name
        ):
            return
        address = pod.get("status", {}).get("podIP")
        if present and address:
            known[pod["metadata"]["uid"]] = address
        else:
            known.pop(pod["metadata"]["uid"], None)

    def _program(self) -> None:
        source, target = self._namespaces
        rules = [
            f"-A {CHAIN} -s {origin} -d {address} -m conntrack --ctstate NEW -j REJECT "
            "--reject-with icmp-port-unreachable"
            for origin in sorted(self._addresses[source].values())
            for address in sorted(self._addresses[target].values())
        ]
        text = "\n".join(["*filter", f":{CHAIN} - [0:0]", f"-F {CHAIN}", *rules, "COMMIT", ""])
        if text != self._written:
            first = self._written is None
            self._restore(text)
            if first:
                self._node.run("iptables", "-w", "5", "-I", "FORWARD", "-j", CHAIN)
            self._written = text
        self.programmed.set()

    def _restore(self, text: str) -> None:
        self._node.run("iptables-restore", "--noflush", "-w", "5", stdin=text)


@contextmanager
def reject(kubeconfig: Path, node: Namespace, *, source: str, target: str) -> Iterator[Enforcement]:
    """Reject new connections from pods of namespace `source` to pods of namespace `target` on
    `node`, until the block ends."""
    agent = Enforcement(kubeconfig, node, source, target)
    agent.start()
    try:
        if not agent.programmed.wait(20):
            raise TimeoutError(f"the reject rules of {node.name} were not written within 20 s")
        yield agent
    finally:
        agent.stop()
