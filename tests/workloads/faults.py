"""What is broken on rung 2, each with the means that break it in production: the API, or a process
that ends."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx

from tests.rungs.programs.kwok import UNTOUCHED

Json = dict[str, Any]


def post(http: httpx.Client, path: str, body: Json) -> Json:
    made: Json = http.post(path, json=body).raise_for_status().json()
    return made


def merge(http: httpx.Client, path: str, body: Json) -> None:
    http.patch(
        path, json=body, headers={"Content-Type": "application/merge-patch+json"}
    ).raise_for_status()


def items(http: httpx.Client, path: str, **query: str) -> list[Json]:
    found: list[Json] = http.get(path, params=query).raise_for_status().json()["items"]
    return found


def deployment(name: str, replicas: int, labels: Json, **spec: Any) -> Json:
    """`spec`: of the pods; `annotations` of them too."""
    annotations = spec.pop("annotations", {})
    containers = [
        {
            "name": "main",
            "image": spec.pop("image", f"registry.example/{name}:1.0.0"),
            "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
        }
    ]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": annotations},
                "spec": {"containers": containers, **spec},
            },
        },
    }


def namespace(http: httpx.Client, name: str) -> None:
    post(http, "/api/v1/namespaces", {"metadata": {"name": name}})


def fill_quota(http: httpx.Client) -> None:
    """Room for two pods, and a Deployment that wants five."""
    namespace(http, "narrow")
    post(
        http,
        "/api/v1/namespaces/narrow/resourcequotas",
        {"metadata": {"name": "pods"}, "spec": {"hard": {"pods": "2"}}},
    )
    post(
        http,
        "/apis/apps/v1/namespaces/narrow/deployments",
        deployment("mailer", 5, {"app": "mailer"}),
    )


def lose_dns_endpoints(http: httpx.Client) -> None:
    """The pods of CoreDNS fail their readiness probe: the kubelet says so, and the endpoints go."""
    for pod in items(http, "/api/v1/namespaces/kube-system/pods"):
        now = _now()
        conditions = [
            {
                "type": kind,
                "status": "False",
                "reason": "ContainersNotReady",
                "lastTransitionTime": now,
                "message": "containers with unready status: [app]",
            }
            for kind in ("Ready", "ContainersReady")
        ]
        kept = [
            one
            for one in pod["status"]["conditions"]
            if one["type"] not in ("Ready", "ContainersReady")
        ]
        containers = [{**one, "ready": False} for one in pod["status"]["containerStatuses"]]
        path = f"/api/v1/namespaces/kube-system/pods/{pod['metadata']['name']}/status"
        merge(
            http,
            path,
            {"status": {"conditions": [*kept, *conditions], "containerStatuses": containers}},
        )


def flood(http: httpx.Client, jobs: int) -> None:
    """A CronJob without an end to its runs: `jobs` at once, as `kubectl create job
    --from=cronjob/…` makes them."""
    namespace(http, "analytics")
    pod = {
        "restartPolicy": "Never",
        "containers": [{"name": "main", "image": "registry.example/rates:0.3.0"}],
    }
    template = {"spec": {"template": {"metadata": {"annotations": UNTOUCHED}, "spec": pod}}}
    body = {
        "metadata": {"name": "rates"},
        "spec": {"schedule": "* * * * *", "concurrencyPolicy": "Allow", "jobTemplate": template},
    }
    made = post(http, "/apis/batch/v1/namespaces/analytics/cronjobs", body)
    owner = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "name": "rates",
        "uid": made["metadata"]["uid"],
        "controller": True,
    }
    for number in range(jobs):
        meta = {
            "name": f"rates-{number}",
            "annotations": {"cronjob.kubernetes.io/instantiate": "manual"},
            "ownerReferences": [owner],
        }
        post(http, "/apis/batch/v1/namespaces/analytics/jobs", {"metadata": meta, **template})


def cordon_where_pods_must_go(http: httpx.Client, name: str) -> None:
    """A node is cordoned, and a Deployment insists on it."""
    merge(http, f"/api/v1/nodes/{name}", {"spec": {"unschedulable": True}})
    namespace(http, "pinned")
    body = deployment("ledger", 2, {"app": "ledger"}, nodeSelector={"kubernetes.io/hostname": name})
    post(http, "/apis/apps/v1/namespaces/pinned/deployments", body)


def mount_missing_secret(http: httpx.Client) -> None:
    """A pod that mounts a Secret that does not exist."""
    namespace(http, "vault")
    volumes = [{"name": "credentials", "secret": {"secretName": "ledger-credentials"}}]
    body = deployment("signer", 1, {"app": "signer"}, annotations=UNTOUCHED, volumes=volumes)
    post(http, "/apis/apps/v1/namespaces/vault/deployments", body)


def refuse_to_mount(http: httpx.Client) -> bool:
    """What the kubelet says of that pod. False as long as it is not scheduled."""
    pods = [
        pod for pod in items(http, "/api/v1/namespaces/vault/pods") if pod["spec"].get("nodeName")
    ]
    for pod in pods:
        meta, now = pod["metadata"], _now()
        waiting = [
            {
                "name": "main",
                "image": "registry.example/signer:1.0.0",
                "imageID": "",
                "ready": False,
                "restartCount": 0,
                "state": {"waiting": {"reason": "ContainerCreating"}},
            }
        ]
        merge(
            http,
            f"/api/v1/namespaces/vault/pods/{meta['name']}/status",
            {"status": {"containerStatuses": waiting}},
        )
        message = (
            'MountVolume.SetUp failed for volume "credentials" : secret "ledger-credentials" not '
            "found"
        )
        about = {
            "apiVersion": "v1",
            "kind": "Pod",
            "namespace": "vault",
            "name": meta["name"],
            "uid": meta["uid"],
        }
        event = {
            "metadata": {"name": f"{meta['name']}.mount"},
            "involvedObject": about,
            "type": "Warning",
            "reason": "FailedMount",
            "message": message,
            "count": 4,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "source": {"component": "kubelet", "host": pod["spec"]["nodeName"]},
        }
        post(http, "/api/v1/namespaces/vault/events", event)
    return bool(pods)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
