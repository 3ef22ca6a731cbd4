"""Objects that a text names."""

from __future__ import annotations

from cluster.kube import objects as k
from cluster.kube.objects import Ref
from cluster.live.store import Store
from incident.tables.mentions import mentioned


def test_kind_and_name_come_first_then_names_whose_namespace_is_named() -> None:
    store = Store()
    for namespace in ("shop", "other"):
        meta = k.LeanMeta(name="web-1", namespace=namespace, uid=namespace)
        store.apply("Pod", [k.Pod(metadata=meta)])
    store.apply("Node", [k.Node(metadata=k.ObjectMeta(name="node-2"))])
    texts = ["web-1 of shop", "is on Node node-2.", "Gadget x/y, The node-3, Pod shop"]
    assert mentioned(texts, store) == [
        Ref("Node", "", "node-2"),
        Ref("Pod", "shop", "web-1"),
        Ref("Pod", "other", "web-1"),
    ]
