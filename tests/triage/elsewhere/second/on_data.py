"""Faults of Secrets, of volumes and of what keeps data."""

from __future__ import annotations

from datetime import datetime

from tests.triage.elsewhere.second.ground import cluster
from tests.triage.elsewhere.second.lab import D, H, M, Obj
from tests.triage.elsewhere.second.registry import case


@case("secrets-emptied-by-controller", twin=True)
def openshift_secrets_lose_their_keys(now: datetime, fault: bool) -> list[Obj]:
    lab, _, apps = cluster(
        now,
        "ocp-secrets",
        "openshift",
        9,
        "bank",
        naming="{role}{i}.bank.example",
        control=3,
        version="v1.29.10",
        runtime="cri-o://1.29.11",
    )
    lab.namespace("vault-sync")
    lab.deployment(
        "vault-sync",
        "vault-secrets-operator",
        "registry.bank.example/hashicorp/vault-secrets-operator:0.9.1",
        1,
        age=150 * D,
        rolled=33 * M if fault else 30 * D,
    )
    owners = {
        "postings": "ledger-prod",
        "balances": "ledger-prod",
        "issuing": "cards-prod",
        "auth-gw": "cards-prod",
        "docscan": "kyc",
        "sanctions": "kyc",
    }
    for i, (app, namespace) in enumerate(owners.items()):
        secret = lab.secret(
            namespace,
            f"{app}-vault",
            ["username", "password", "dsn"],
            age=150 * D,
            manager="vault-secrets-operator",
            written=26 * M + 9 * i if fault else 3 * D,
        )
        if fault:
            secret.pop("data")
            secret["metadata"]["managedFields"] = [
                lab.managed(
                    "v1",
                    "vault-secrets-operator",
                    26 * M + 9 * i,
                    {"f:metadata": {"f:labels": {"f:app": {}}}, "f:type": {}},
                )
            ]
    if not fault:
        return lab.finish()
    for app, namespace in list(owners.items())[:5]:
        if app in ("balances", "sanctions"):
            continue
        pod = lab.replica(apps[app].sets[-1], lab.pick(1)[0], 15 * M)
        pod["spec"]["containers"][0]["env"] = [
            {"name": "DSN", "valueFrom": {"secretKeyRef": {"name": f"{app}-vault", "key": "dsn"}}}
        ]
        lab.waiting(
            pod,
            "CreateContainerConfigError",
            f"couldn't find key dsn in Secret {namespace}/{app}-vault",
            15 * M,
        )
        lab.event(
            pod,
            "Failed",
            f"Error: couldn't find key dsn in Secret {namespace}/{app}-vault",
            9,
            first=15 * M,
            count=71,
        )
        apps[app].pods[0] = pod
    return lab.finish()


@case("secret-not-found-blocks-deployments", twin=True)
def gke_credentials_come_late(now: datetime, fault: bool) -> list[Obj]:
    lab, _, apps = cluster(now, "gke-creds", "gke", 18, "media", naming="gke-media-a-{x}-{i}")
    lab.namespace("iam")
    supplier = lab.deployment(
        "iam",
        "token-broker",
        "eu.gcr.io/media/token-broker:7",
        1,
        age=200 * D,
        cpu="20m",
        cpu_limit="50m",
        manager="kubectl-edit",
    )
    if fault:
        supplier.object["metadata"]["generation"] = 9
        supplier.object["metadata"]["managedFields"].insert(
            0,
            lab.managed(
                "apps/v1",
                "kubectl-edit",
                95 * M,
                {"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {}}}}},
            ),
        )
        lab.event(
            supplier.object,
            "ScalingReplicaSet",
            f"Scaled down replica set {supplier.sets[-1]['metadata']['name']} to 1 from 4",
            50 * M,
            type="Normal",
            source="deployment-controller",
        )
    where = {"ingest": "video", "origin": "video", "api-edge": "player", "cms": "editorial"}
    for app, namespace in where.items():
        lab.secret(
            namespace,
            f"{app}-gcp-token",
            ["key.json"],
            age=200 * D,
            manager="token-broker",
            written=2 * H,
        )
        lab.objects = [
            o
            for o in lab.objects
            if not (
                fault
                and o["kind"] == "Secret"
                and o["metadata"]["name"] == f"{app}-gcp-token"
                and app != "cms"
            )
        ]
        fresh = [lab.replica(apps[app].sets[-1], lab.pick(1)[0], (24 - i) * M) for i in range(1)]
        for pod in fresh:
            pod["spec"]["volumes"] = [
                {"name": "gcp", "secret": {"secretName": f"{app}-gcp-token", "defaultMode": 420}}
            ]
            apps[app].pods.append(pod)
            apps[app].object["spec"]["replicas"] += 1
            if fault and app != "cms":
                lab.waiting(pod, "ContainerCreating", "", 23 * M, sandbox=False)
                lab.event(
                    pod,
                    "FailedMount",
                    f'MountVolume.SetUp failed for volume "gcp" : secret "{app}-gcp-token" not '
                    "found",
                    70,
                    first=23 * M,
                    count=19,
                )
    return lab.finish()


@case("volume-attach-stuck", twin=True)
def aks_disk_of_a_gone_node(now: datetime, fault: bool) -> list[Obj]:
    lab, *_ = cluster(now, "aks-disk", "aks", 5, "public", naming="aks-data-33-vmss00000{i}")
    lab.namespace("records")
    names = [n["metadata"]["name"] for n in lab.nodes]
    db = lab.statefulset(
        "records",
        "couch",
        "couchdb:3.4.2",
        3,
        claim="managed-csi-premium",
        driver="disk.csi.azure.com",
        nodes=names[:3],
        pod_ages=[20 * D, 20 * D, 13 * M if fault else 20 * D],
    )
    lab.statefulset(
        "records",
        "mariadb",
        "mariadb:11.4",
        1,
        claim="managed-csi-premium",
        driver="disk.csi.azure.com",
        nodes=[names[3]],
    )
    if not fault:
        return lab.finish()
    stuck = db.pods[2]
    lab.waiting(stuck, "ContainerCreating", "", 13 * M, sandbox=False)
    claim = next(
        o
        for o in lab.objects
        if o["kind"] == "PersistentVolumeClaim" and o["metadata"]["name"] == "data-couch-2"
    )
    volume = claim["spec"]["volumeName"]
    attachment = next(
        o
        for o in lab.objects
        if o["kind"] == "VolumeAttachment" and o["spec"]["source"]["persistentVolumeName"] == volume
    )
    attachment["spec"]["nodeName"] = "aks-data-33-vmss00000c"
    attachment["metadata"]["deletionTimestamp"] = lab.at(11 * M)
    attachment["metadata"]["deletionGracePeriodSeconds"] = 0
    attachment["metadata"]["finalizers"] = ["external-attacher/disk-csi-azure-com"]
    attachment["status"]["detachError"] = {
        "time": lab.at(50),
        "message": "rpc error: code = Internal desc = Could not detach volume: timed out waiting for the condition",
    }
    lab.event(
        stuck,
        "FailedAttachVolume",
        f'Multi-Attach error for volume "{volume}" Volume is already exclusively attached to one '
        "node and can't be attached to another",
        12 * M + 40,
        source="attachdetach-controller",
    )
    lab.event(
        stuck,
        "FailedMount",
        "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], "
        "failed to "
        "process volumes=[]: timed out waiting for the condition",
        60,
        first=11 * M,
        count=5,
    )
    return lab.finish()


@case("stateful-operator-data-loss", twin=True)
def rke2_operator_rolls_memory_stores(now: datetime, fault: bool) -> list[Obj]:
    lab, *_ = cluster(
        now,
        "rke2-store",
        "cilium",
        8,
        "games",
        naming="{role}-{x}",
        control=1,
        version="v1.30.6+rke2r1",
    )
    lab.namespace("state")
    lab.deployment("state", "valkey-operator", "ghcr.io/ops/valkey-operator:0.6.0", 1, age=100 * D)
    lab.add(
        "CustomResourceDefinition",
        "valkeyclusters.state.ops.example",
        age=100 * D,
        body={
            "spec": {
                "group": "state.ops.example",
                "scope": "Namespaced",
                "names": {
                    "kind": "ValkeyCluster",
                    "plural": "valkeyclusters",
                    "singular": "valkeycluster",
                    "listKind": "ValkeyClusterList",
                },
                "conversion": {"strategy": "None"},
                "versions": [
                    {
                        "name": "v1",
                        "served": True,
                        "storage": True,
                        "schema": {
                            "openAPIV3Schema": {
                                "type": "object",
                                "x-kubernetes-preserve-unknown-fields": True,
                            }
                        },
                    }
                ],
            },
            "status": {
                "acceptedNames": {
                    "kind": "ValkeyCluster",
                    "plural": "valkeyclusters",
                    "singular": "valkeycluster",
                    "listKind": "ValkeyClusterList",
                },
                "storedVersions": ["v1"],
                "conditions": [
                    {
                        "type": t,
                        "status": "True",
                        "reason": r,
                        "message": "",
                        "lastTransitionTime": lab.at(100 * D),
                    }
                    for t, r in (
                        ("NamesAccepted", "NoConflicts"),
                        ("Established", "InitialNamesAccepted"),
                    )
                ],
            },
        },
    )
    volumes = {"volumes": [{"name": "storage", "emptyDir": {}}]}
    store = lab.statefulset(
        "state",
        "valkey-matches",
        "valkey/valkey:8.0.1",
        5 if fault else 3,
        age=100 * D,
        claim=None,
        manager="valkey-operator",
        rolled=17 * M if fault else None,
        spec=volumes,
        container={"volumeMounts": [{"name": "storage", "mountPath": "/data"}]},
        pod_ages=[9 * M, 11 * M, 13 * M, 15 * M, 16 * M] if fault else None,
    )
    store.object["metadata"]["ownerReferences"] = [
        {
            "apiVersion": "state.ops.example/v1",
            "kind": "ValkeyCluster",
            "name": "matches",
            "uid": lab.uid(),
            "controller": True,
        }
    ]
    if fault:
        for i in range(5):
            lab.event(
                store.object,
                "SuccessfulDelete" if i % 2 else "SuccessfulCreate",
                f"{'delete' if i % 2 else 'create'} Pod valkey-matches-{i} in StatefulSet "
                "valkey-matches successful",
                (15 - i) * M,
                type="Normal",
                source="statefulset-controller",
            )
    return lab.finish()
