"""Keys of objects in etcd."""

from __future__ import annotations

import pytest

from tests.rungs.storage import key, stored


@pytest.mark.parametrize(
    ("version", "kind", "namespace", "expected"),
    [
        ("v1", "Pod", "shop", "/registry/pods/shop/x"),
        ("v1", "Node", "", "/registry/minions/x"),
        ("v1", "Service", "shop", "/registry/services/specs/shop/x"),
        ("v1", "Endpoints", "shop", "/registry/services/endpoints/shop/x"),
        ("v1", "Namespace", "", "/registry/namespaces/x"),
        ("apps/v1", "ReplicaSet", "shop", "/registry/replicasets/shop/x"),
        ("networking.k8s.io/v1", "Ingress", "shop", "/registry/ingress/shop/x"),
        ("networking.k8s.io/v1", "NetworkPolicy", "shop", "/registry/networkpolicies/shop/x"),
        (
            "coordination.k8s.io/v1",
            "Lease",
            "kube-node-lease",
            "/registry/leases/kube-node-lease/x",
        ),
        ("storage.k8s.io/v1", "VolumeAttachment", "", "/registry/volumeattachments/x"),
        (
            "cert-manager.io/v1",
            "Certificate",
            "shop",
            "/registry/cert-manager.io/certificates/shop/x",
        ),
    ],
)
def test_keys(version: str, kind: str, namespace: str, expected: str) -> None:
    assert (
        key(
            {"apiVersion": version, "kind": kind, "metadata": {"name": "x", "namespace": namespace}}
        )
        == expected
    )


def test_a_service_claims_its_address() -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "shop", "resourceVersion": "7"},
        "spec": {"clusterIP": "10.96.1.2"},
    }
    (path, kept), (claim_path, claim) = stored([service])
    assert path == "/registry/services/specs/shop/web"
    assert "resourceVersion" not in kept["metadata"]
    assert kept["metadata"]["uid"]
    assert claim_path == "/registry/ipaddresses/10.96.1.2"
    assert claim["spec"]["parentRef"]["name"] == "web"


def test_a_headless_service_claims_none() -> None:
    meta = {"name": "web", "namespace": "shop"}
    assert (
        len(
            list(
                stored(
                    [
                        {
                            "apiVersion": "v1",
                            "kind": "Service",
                            "metadata": meta,
                            "spec": {"clusterIP": "None"},
                        }
                    ]
                )
            )
        )
        == 1
    )
