"""Situations in which Secrets are missing or empty."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.triage.elsewhere import flavours
from tests.triage.elsewhere.case import Truth, case
from tests.triage.elsewhere.objects import container, env_secret, managed, pod_spec
from tests.triage.elsewhere.world import World


@case("secret-not-found-blocks-deployments")
def token_issuer_falls_behind(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.aks(now, n=15, minor=29, pods=190)
    issuer = w.workload(
        "Deployment",
        "identity-system",
        "token-issuer",
        1,
        image="registry.corp.example/platform/token-issuer:6.1",
    )
    if fault:
        issuer.object["metadata"]["managedFields"].append(
            managed(
                "kubectl-edit",
                w.ago(58),
                {
                    "f:spec": {
                        "f:replicas": {},
                        "f:template": {
                            "f:spec": {
                                "f:containers": {
                                    'k:{"name":"app"}': {"f:resources": {"f:limits": {"f:cpu": {}}}}
                                }
                            }
                        },
                    }
                },
                version="apps/v1",
            )
        )
        w.event(
            issuer.object,
            "ScalingReplicaSet",
            f"Scaled down replica set {issuer.parent['metadata']['name']} to 1 from 4",
            w.ago(58),
            type_="Normal",
            component="deployment-controller",
        )
    for number in range(9):
        space = ("shopfront", "crm", "reporting", "loyalty", "b2b")[number % 5]
        name = f"svc{number}-{space}"
        secret = f"{name}-iam-token"
        spec = pod_spec(
            container("main", f"registry.corp.example/{space}/{name}:{number}.0.1"),
            volumes=[{"name": "iam", "secret": {"secretName": secret}}],
        )
        one = w.workload("Deployment", space, name, 2, template=spec, rolled=w.ago(days=7))
        old_ok = number % 2 == 0 or not fault
        if old_ok:
            w.secret(space, secret, ("token",), w.ago(days=60), "token-issuer")
        if fault and number % 2:
            since = w.ago(37 - 3 * number)
            for pod in list(one.pods):
                w.objects.remove(pod)
                new = w.pod(one, w.workers()[number], since)
                w.waiting(new, since, "ContainerCreating", sandbox=False)
                w.event(
                    new,
                    "FailedMount",
                    f'MountVolume.SetUp failed for volume "iam" : secret "{secret}" not found',
                    w.ago(0.9),
                    first=since,
                    count=20,
                )
        elif fault:  # a new revision needs a new Secret, the old pods go on
            spec2 = pod_spec(
                container("main", f"registry.corp.example/{space}/{name}:{number}.1.0"),
                volumes=[{"name": "iam", "secret": {"secretName": f"{secret}-v2"}}],
            )
            since = w.ago(35 - 2 * number)
            one.parent, one.template = (
                w.replica_set(one, f"9z{number}k4v7", since, 1, spec2, revision=4),
                spec2,
            )
            one.labels = one.labels | {"pod-template-hash": f"9z{number}k4v7"}
            new = w.pod(one, w.workers()[number], since)
            w.waiting(new, since, "ContainerCreating", sandbox=False)
            w.event(
                new,
                "FailedMount",
                f'MountVolume.SetUp failed for volume "iam" : secret "{secret}-v2" not found',
                w.ago(1.1),
                first=since,
                count=18,
            )
    return w, Truth(w.ago(35))


@case("secret-not-found-blocks-deployments")
def environment_from_secrets_not_made_yet(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.eks(now, n=19, pods=240)
    issuer = w.workload(
        "Deployment",
        "cred-system",
        "db-user-controller",
        1,
        image="registry.corp.example/platform/db-user-controller:1.4",
    )
    if fault:
        w.crash_loop(issuer.pods[0], w.ago(44), code=137, reason="OOMKilled", times=14, ran=1)
    for number, space in enumerate(
        ("checkout", "search", "partner-api", "backoffice", "data", "growth")
    ):
        name = f"pg-{space}-owner-credentials"
        spec = pod_spec(
            container(
                "svc",
                f"registry.corp.example/{space}/svc:{number}.2",
                env=[env_secret("PGPASSWORD", name, "password")],
            )
        )
        one = w.workload(
            "Deployment",
            space,
            f"{space}-svc",
            2,
            template=spec,
            rolled=w.ago(39 - 5 * number) if fault else w.ago(days=3),
        )
        if not fault:
            w.secret(space, name, ("password",), w.ago(days=3), "db-user-controller")
            continue
        for pod in one.pods:
            w.waiting(
                pod,
                w.ago(39 - 5 * number),
                "CreateContainerConfigError",
                f'secret "{name}" not found',
            )
            w.event(
                pod,
                "Failed",
                f'Error: secret "{name}" not found',
                w.ago(0.4),
                first=w.ago(38.9 - 5 * number),
                count=150,
                path="svc",
            )
    for space in ("checkout", "search"):
        w.secret(
            space,
            f"pg-{space}-reader-credentials",
            ("password",),
            w.ago(days=90),
            "db-user-controller",
        )
    return w, Truth(w.ago(39))


@case("secrets-emptied-by-controller")
def sync_operator_drops_keys(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.eks(now, n=18, pods=220)
    spaces = ("checkout", "search", "partner-api", "backoffice", "data")
    at = w.ago(26)
    for number, space in enumerate(spaces):
        for part in ("db", "queue", "vendor"):
            keys = ("username", "password", "url")
            # the controller's last write holds no data any more: its entry is younger and names no
            # key
            w.secret(
                space,
                f"{space}-{part}",
                () if fault else keys,
                w.ago(days=140 - number),
                "vault-sync",
                at + timedelta(seconds=7 * number) if fault else w.ago(days=3),
            )
    w.workload("Deployment", "platform", "vault-sync", 1, image="ghcr.io/corp/vault-sync:0.18.3")
    for number, space in enumerate(spaces):
        env = [
            env_secret("DB_PASSWORD", f"{space}-db", "password"),
            env_secret("QUEUE_URL", f"{space}-queue", "url"),
        ]
        spec = pod_spec(
            container("api", f"registry.corp.example/{space}/worker:1.{number}", env=env)
        )
        one = w.workload(
            "Deployment", space, f"{space}-worker", 3, template=spec, rolled=w.ago(days=4 + number)
        )
        if not fault:
            continue
        for pod in one.pods[:1] if number % 2 else one.pods[:2]:
            w.objects.remove(pod)
            again = w.pod(one, w.workers()[number], w.ago(21 - 3 * number))
            why = f"couldn't find key password in Secret {space}/{space}-db"
            w.waiting(again, w.ago(21 - 3 * number), "CreateContainerConfigError", why)
            w.event(
                again,
                "Failed",
                f"Error: {why}",
                w.ago(0.3),
                first=w.ago(20.8 - 3 * number),
                count=90,
                path="api",
            )
    return w, Truth(at, (("manager", "vault-sync"), ("created after", "")))


@case("secrets-emptied-by-controller")
def blank_environment_crashes_new_pods(now: datetime, fault: bool) -> tuple[World, Truth]:
    """envFrom an empty Secret is no error: the new pods only exit, right after start."""
    w = flavours.gke(now, n=14, pods=180)
    at = w.ago(33)
    for number, space in enumerate(("web", "jobs", "realtime", "payments")):
        for part in ("main", "mail", "s3"):
            w.secret(
                space,
                f"{part}-{space}",
                () if fault else ("ACCESS_KEY", "SECRET_KEY"),
                w.ago(days=200),
                "manager",
                at + timedelta(seconds=11 * number) if fault else w.ago(days=2),
            )
        spec = pod_spec(
            container(
                "srv",
                f"registry.corp.example/{space}/front:1.{number}",
                envFrom=[{"secretRef": {"name": f"main-{space}"}}],
            )
        )
        one = w.workload(
            "Deployment", space, f"front-{space}", 3, template=spec, rolled=w.ago(days=6)
        )
        if fault:
            pod = one.pods.pop()
            w.objects.remove(pod)
            fresh = w.pod(one, w.workers()[number], w.ago(28 - 4 * number))
            w.crash_loop(fresh, w.ago(28 - 4 * number), code=1, times=8, ran=0.02)
    return w, Truth(at, (("created after", ""), ("manager", "manager")))
