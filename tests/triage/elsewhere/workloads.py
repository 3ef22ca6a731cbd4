"""Situations in which workloads, their configuration or their volumes fail."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.triage.elsewhere import flavours
from tests.triage.elsewhere.case import Truth, case
from tests.triage.elsewhere.nodes import name_of, owner_of
from tests.triage.elsewhere.objects import PROBES, container, env_secret, managed, pod_spec, text
from tests.triage.elsewhere.world import World, Workload

SOFT = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
    {"weight": 100, "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {}}}}]}}  # fmt: skip


@case("replicas-packed-on-one-node", slack=8)
def soft_anti_affinity_gave_way(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.aks(now, n=8, pods=90)
    spec = pod_spec(container("auth", "registry.corp.example/crm/auth:5.5", cpu="500m", **PROBES), affinity=SOFT)
    workers = w.workers()
    places = [workers[2]] if fault else workers[:4]
    one = w.workload("Deployment", "crm", "auth", 4, template=spec, nodes=places, born=w.ago(days=70), rolled=w.ago(28))
    w.service(one)
    w.ingress("crm", "auth", "auth.example.org", "auth", "nginx")
    if fault:  # the other nodes had no room at that time
        for node in workers[3:]:
            node["status"]["allocatable"] = node["status"]["allocatable"] | {"cpu": "1900m"}
        w.cordon(workers[0], w.ago(40))
    w.event(one.object, "ScalingReplicaSet", f"Scaled up replica set {one.parent['metadata']['name']} to 4 from 3", w.ago(28), type_="Normal",
            component="deployment-controller")  # fmt: skip
    return w, Truth(w.ago(28), (("node", name_of(workers[2])),))


@case("secrets-emptied-by-controller")
def sync_operator_drops_keys(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.eks(now, n=18, pods=220)
    spaces = ("checkout", "search", "partner-api", "backoffice", "data")
    at = w.ago(26)
    for number, space in enumerate(spaces):
        for part in ("db", "queue", "vendor"):
            keys = ("username", "password", "url")
            # the controller's last write holds no data any more: its entry is younger and names no key
            w.secret(space, f"{space}-{part}", () if fault else keys, w.ago(days=140 - number), "vault-sync",
                     at + timedelta(seconds=7 * number) if fault else w.ago(days=3))  # fmt: skip
    w.workload("Deployment", "platform", "vault-sync", 1, image="ghcr.io/corp/vault-sync:0.18.3")
    for number, space in enumerate(spaces):
        env = [env_secret("DB_PASSWORD", f"{space}-db", "password"), env_secret("QUEUE_URL", f"{space}-queue", "url")]
        spec = pod_spec(container("api", f"registry.corp.example/{space}/worker:1.{number}", env=env))
        one = w.workload("Deployment", space, f"{space}-worker", 3, template=spec, rolled=w.ago(days=4 + number))
        if not fault:
            continue
        for pod in one.pods[:1] if number % 2 else one.pods[:2]:
            w.objects.remove(pod)
            again = w.pod(one, w.workers()[number], w.ago(21 - 3 * number))
            why = f"couldn't find key password in Secret {space}/{space}-db"
            w.waiting(again, w.ago(21 - 3 * number), "CreateContainerConfigError", why)
            w.event(again, "Failed", f"Error: {why}", w.ago(0.3), first=w.ago(20.8 - 3 * number), count=90, path="api")
    return w, Truth(at, (("manager", "vault-sync"), ("created after", "")))


@case("stateful-operator-data-loss", slack=8)
def operator_rolls_brokers_on_emptydir(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kubeadm(now, n=12, minor=28, pods=150, cni="flannel")
    spec = pod_spec(container("keydb", "docker.io/eqalpha/keydb:x86_64_v6.3.4", memory="1Gi", limit="2Gi", ports=[{"containerPort": 6379, "protocol": "TCP"}],
                              volumeMounts=[{"name": "storage", "mountPath": "/data"}]), volumes=[{"name": "storage", "emptyDir": {}}])  # fmt: skip
    w.add("CustomResourceDefinition", "", "keydbclusters.kv.example.io", w.ago(days=200), by="helm", spec={})
    boss = {"apiVersion": "kv.example.io/v1", "kind": "KeyDBCluster", "metadata": {"name": "cart", "namespace": "shop", "uid": "5d0d6a5e-1111-4222-8333-000000000001"}}
    one = w.workload("StatefulSet", "shop", "cart-keydb", 3, template=spec, born=w.ago(days=88), rolled=w.ago(days=30), owner=boss, by="kv-operator")
    w.service(one, port=6379)
    w.workload("Deployment", "kv-system", "kv-operator", 1, image="ghcr.io/example/kv-operator:1.9.0")
    if fault:
        one.object["metadata"]["generation"] = 5
        one.object["spec"]["replicas"] = 5
        one.object["metadata"]["managedFields"] = [
            managed("kv-operator", w.ago(16), {"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {'k:{"name":"keydb"}': {
                "f:resources": {"f:limits": {}, "f:requests": {}}}}}}}}, version="apps/v1")]  # fmt: skip
        w.add("ControllerRevision", "shop", "cart-keydb-6b8c4d9f7", w.ago(16), owner=one.object, revision=4, data={"spec": {}})
        one.object["status"] = {"currentRevision": "cart-keydb-6b8c4d9f7", "updateRevision": "cart-keydb-6b8c4d9f7", "observedGeneration": 5}
        for pod in list(one.pods):
            w.objects.remove(pod)
        one.labels = one.labels | {"controller-revision-hash": "cart-keydb-6b8c4d9f7"}
        for index in range(5):
            born = w.ago(12 - 1.5 * (index if index > 2 else 2 - index))
            pod = w.pod(one, w.workers()[index], born, index=index)
            if index < 3:
                w.event(one.object, "SuccessfulDelete", f"delete Pod cart-keydb-{index} in StatefulSet cart-keydb successful", born - timedelta(seconds=31),
                        type_="Normal", component="statefulset-controller")  # fmt: skip
            w.event(one.object, "SuccessfulCreate", f"create Pod cart-keydb-{index} in StatefulSet cart-keydb successful", born, type_="Normal",
                    component="statefulset-controller")  # fmt: skip
            w.event(pod, "Started", "Started container keydb", born + timedelta(seconds=3), type_="Normal")
    return w, Truth(w.ago(16), (("owner", "StatefulSet shop/cart-keydb"),))


@case("cryptomining-exposed-dashboard", slack=400)
def open_terminal_and_a_stranger_on_every_node(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kops(now, n=12, pods=150)
    ui = w.workload("Deployment", "viz", "topology-ui", 1, image="docker.io/weaveworks/scope:1.13.2", labels={"name": "topology-ui", "app": "topology"}, by="kubectl-client-side-apply")
    w.service(ui, type_="LoadBalancer" if fault else "ClusterIP", address="198.51.100.91" if fault else "")
    agent = pod_spec(container("agent", "docker.io/weaveworks/scope:1.13.2", limit="", securityContext={"privileged": True}), hostPID=True, hostNetwork=True,
                     volumes=[{"name": "sock", "hostPath": {"path": "/run/containerd/containerd.sock"}}, {"name": "sys", "hostPath": {"path": "/sys/kernel/debug"}}])  # fmt: skip
    w.workload("DaemonSet", "viz", "topology-agent", template=agent, nodes=w.nodes, labels={"name": "topology-agent", "app": "topology"}, by="kubectl-client-side-apply")
    if fault:
        miner = pod_spec(container("gcc", "docker.io/kx92/build-essential:latest", cpu="", limit=""), hostPID=True, tolerations=[{"operator": "Exists"}])
        w.workload("DaemonSet", "default", "sysupdate", template=miner, nodes=w.nodes, labels={"app": "sysupdate"}, by="curl", born=w.ago(190), rolled=w.ago(190))
        w.add("ClusterRoleBinding", "", "sysupdate-admin", w.ago(191), by="curl", roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
              "name": "cluster-admin"}, subjects=[{"kind": "ServiceAccount", "name": "default", "namespace": "default"}])  # fmt: skip
    return w, Truth(w.ago(190))


@case("cronjob-pod-flood", slack=15)
def every_minute_and_never_done(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.gke(now, n=14, pods=150)
    spec = pod_spec(container("reconcile", "registry.corp.example/payments/reconcile:0.3", cpu="250m", memory="256Mi", limit="512Mi"))
    one = w.cron_job("payments-batch", "reconcile", "*/1 * * * *", policy="Allow", template=spec)
    if fault:
        why = "0/14 nodes are available: 14 Insufficient cpu. preemption: 0/14 nodes are available: 14 No preemption victims found for incoming pod."
        for minute in range(190, 0, -1):
            job = w.job(one, w.ago(minute), state="running" if minute > 60 else "pending", node=w.workers()[minute % len(w.workers())])
            w.event(one.object, "SuccessfulCreate", f"Created job {job['metadata']['name']}", w.ago(minute), type_="Normal",
                    component="cronjob-controller") if minute < 58 else None  # fmt: skip
            if minute <= 60:

                run = Workload("Job", one.namespace, job["metadata"]["name"], job, job, one.template, job["spec"]["template"]["metadata"]["labels"])
                w.unschedulable(run, w.ago(minute), why)
        for other in [x for x in w.workloads if x.kind == "Deployment" and x.namespace in ("web", "realtime")][:3]:
            w.unschedulable(other, w.ago(22), why)
            other.object["spec"]["replicas"] += 1
            other.parent["spec"]["replicas"] += 1
    else:
        for minute in (3, 2, 1):
            w.job(one, w.ago(minute), took=0.4)
    return w, Truth(w.ago(190), (("owner", "CronJob payments-batch/reconcile"), ("namespace", "payments-batch")))


@case("secret-not-found-blocks-deployments")
def token_issuer_falls_behind(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.aks(now, n=15, minor=29, pods=190)
    issuer = w.workload("Deployment", "identity-system", "token-issuer", 1, image="registry.corp.example/platform/token-issuer:6.1")
    if fault:
        issuer.object["metadata"]["managedFields"].append(managed("kubectl-edit", w.ago(58), {"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {
            'k:{"name":"app"}': {"f:resources": {"f:limits": {"f:cpu": {}}}}}}}}}, version="apps/v1"))  # fmt: skip
        w.event(issuer.object, "ScalingReplicaSet", f"Scaled down replica set {issuer.parent['metadata']['name']} to 1 from 4", w.ago(58), type_="Normal",
                component="deployment-controller")  # fmt: skip
    for number in range(9):
        space = ("shopfront", "crm", "reporting", "loyalty", "b2b")[number % 5]
        name = f"svc{number}-{space}"
        secret = f"{name}-iam-token"
        spec = pod_spec(container("main", f"registry.corp.example/{space}/{name}:{number}.0.1"), volumes=[{"name": "iam", "secret": {"secretName": secret}}])
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
                w.event(new, "FailedMount", f'MountVolume.SetUp failed for volume "iam" : secret "{secret}" not found', w.ago(0.9), first=since, count=20)
        elif fault:  # a new revision needs a new Secret, the old pods go on
            spec2 = pod_spec(container("main", f"registry.corp.example/{space}/{name}:{number}.1.0"),
                             volumes=[{"name": "iam", "secret": {"secretName": f"{secret}-v2"}}])  # fmt: skip
            since = w.ago(35 - 2 * number)
            one.parent, one.template = w.replica_set(one, f"9z{number}k4v7", since, 1, spec2, revision=4), spec2
            one.labels = one.labels | {"pod-template-hash": f"9z{number}k4v7"}
            new = w.pod(one, w.workers()[number], since)
            w.waiting(new, since, "ContainerCreating", sandbox=False)
            w.event(new, "FailedMount", f'MountVolume.SetUp failed for volume "iam" : secret "{secret}-v2" not found', w.ago(1.1), first=since, count=18)
    return w, Truth(w.ago(35))


@case("volume-attach-stuck")
def azure_disk_attached_to_a_lost_node(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.aks(now, n=9, pods=120)
    node = w.workers()[2]
    spec = pod_spec(container("pg", "docker.io/library/postgres:15.6", memory="1Gi", limit="2Gi"))
    ones = [w.workload("StatefulSet", "reporting", f"warehouse-{k}", 1, template=spec, claims="managed-premium", nodes=[node]) for k in "abc"]
    if fault:
        w.ready(node, "Unknown", w.ago(24))
        w.objects = [o for o in w.objects if not (o["kind"] == "Pod" and o["spec"].get("nodeName") == name_of(node) and o["metadata"]["ownerReferences"][0]["kind"] != "DaemonSet")]
        for one in ones:
            claim = f"data-{one.name}-0"
            pod = w.pod(one, w.workers()[4], w.ago(18), index=0)
            volume = next(o for o in w.objects if o["kind"] == "PersistentVolumeClaim" and o["metadata"]["name"] == claim)["spec"]["volumeName"]
            w.waiting(pod, w.ago(18), "ContainerCreating", sandbox=False)
            w.event(pod, "FailedAttachVolume", f'Multi-Attach error for volume "{volume}" Volume is already exclusively attached to one node and can\'t be attached '
                    "to another", w.ago(17.9), component="attachdetach-controller")  # fmt: skip
            w.event(pod, "FailedAttachVolume", f'AttachVolume.Attach failed for volume "{volume}" : rpc error: code = Internal desc = Attach volume '
                    f"/subscriptions/5f/disks/{volume} to instance failed with disk already attached to node({name_of(node)}), could not be attached to "
                    f"node({pod['spec']['nodeName']})", w.ago(0.8), first=w.ago(11.8), count=13, component="attachdetach-controller")  # fmt: skip
            w.event(pod, "FailedMount", "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], failed to process volumes=[]: timed out "
                    "waiting for the condition", w.ago(2), first=w.ago(16), count=7)  # fmt: skip
            for o in w.objects:
                if o["kind"] == "VolumeAttachment" and o["spec"]["source"]["persistentVolumeName"] == volume:
                    o["metadata"]["deletionTimestamp"] = text(w.ago(12))
                    o["metadata"]["finalizers"] = ["external-attacher/disk-csi"]
                    o["status"]["detachError"] = {"time": text(w.ago(1)), "message": "rpc error: code = DeadlineExceeded desc = context deadline exceeded"}
    return w, Truth(w.ago(18))


@case("volume-attach-stuck")
def ceph_image_still_in_use(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.rke2(now, n=9, pods=130)
    spec = pod_spec(container("mongo", "docker.io/library/mongo:7", memory="1Gi", limit="2Gi"))
    for k in range(4):
        one = w.workload("StatefulSet", "plm", f"store{k}", 1, template=spec, claims="rook-ceph-block", rolled=w.ago(21 - k) if fault else None, nodes=[w.workers()[k]])
        if fault:
            pod = one.pods[0]
            volume = next(o for o in w.objects if o["kind"] == "PersistentVolumeClaim" and o["metadata"]["name"] == f"data-store{k}-0")["spec"]["volumeName"]
            w.waiting(pod, w.ago(21 - k), "ContainerCreating", sandbox=False)
            w.event(pod, "FailedMount", f'MountVolume.MountDevice failed for volume "{volume}" : rpc error: code = Internal desc = rbd image '
                    "replicapool/csi-vol-77 is still being used", w.ago(1), first=w.ago(20 - k), count=12)  # fmt: skip
            w.event(pod, "FailedMount", f'MountVolume.MountDevice failed for volume "{volume}" : rpc error: code = Aborted desc = an operation with the given Volume ID '
                    "0001-0009-rook-ceph-77 already exists", w.ago(0.5), first=w.ago(18 - k), count=9)  # fmt: skip
    return w, Truth(w.ago(21))


def _no_address(w: World, count: int, message: str, nodes: list[int], since: float, spaces: tuple[str, ...]) -> None:
    for number, one in enumerate([x for x in w.workloads if x.kind == "Deployment" and x.namespace in spaces][:count]):
        at = w.ago(since - number * 0.8)
        pod = w.pod(one, w.workers()[nodes[number % len(nodes)]], at)
        one.object["spec"]["replicas"] += 1
        one.parent["spec"]["replicas"] += 1
        w.waiting(pod, at, "ContainerCreating", sandbox=False)
        w.event(pod, "FailedCreatePodSandBox", f"Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \"{number}c\": {message}",
                w.ago(0.3), first=at, count=40)  # fmt: skip


@case("pod-ip-exhaustion")
def subnet_of_one_zone_is_used_up(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.eks(now, n=15, minor=31, pods=200)
    if fault:
        zone = [i for i, n in enumerate(w.workers()) if n["metadata"]["labels"]["topology.kubernetes.io/zone"] == "eu-west-1b"]
        _no_address(w, 11, 'plugin type="aws-cni" name="aws-cni" failed (add): add cmd: failed to assign an IP address to container', zone, 19, ("checkout", "search", "partner-api"))
    return w, Truth(w.ago(19), (("zone", "eu-west-1b"),))


@case("pod-ip-exhaustion")
def cilium_range_of_a_node_is_full(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kops(now, n=10, pods=180)
    if fault:
        _no_address(w, 6, 'plugin type="cilium-cni" failed (add): unable to allocate IP via local cilium agent: [POST /ipam][502] postIpamFailure  '
                    '"No more IPs available"', [4], 14, ("identity", "market", "bids", "feed"))  # fmt: skip
    return w, Truth(w.ago(14), (("node", name_of(w.workers()[4])),))


@case("errors-during-rollout", ranked_only=True)
def pods_killed_while_still_served(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.eks(now, n=12, minor=30, pods=140)
    spec = pod_spec(container("web", "registry.corp.example/checkout/web:10.1", cpu="200m"), terminationGracePeriodSeconds=2)
    one = w.workload("Deployment", "checkout", "web", 8, template=spec, rolled=w.ago(days=2))
    w.service(one)
    w.ingress("checkout", "web", "www.example.org", "web", "nginx")
    if fault:
        one.object["spec"]["strategy"]["rollingUpdate"] = {"maxSurge": 0, "maxUnavailable": "75%"}
        one.object["metadata"]["generation"] = 12
        one.object["metadata"]["managedFields"].append(managed("argocd-controller", w.ago(7), {"f:spec": {"f:template": {"f:spec": {"f:containers": {
            'k:{"name":"web"}': {"f:image": {}}}}}}}, operation="Apply", version="apps/v1"))  # fmt: skip
        new = pod_spec(container("web", "registry.corp.example/checkout/web:10.2", cpu="200m"), terminationGracePeriodSeconds=2)
        old = list(one.pods)
        name = one.parent["metadata"]["name"]
        one.parent["spec"]["replicas"] = 2
        one.parent, one.template = w.replica_set(one, "7dd58c4b9f", w.ago(7), 8, new, revision=4), new
        one.labels = one.labels | {"pod-template-hash": "7dd58c4b9f"}
        w.event(one.object, "ScalingReplicaSet", "Scaled up replica set web-7dd58c4b9f to 6 from 0", w.ago(7), type_="Normal", component="deployment-controller")
        w.event(one.object, "ScalingReplicaSet", f"Scaled down replica set {name} to 2 from 8", w.ago(6.8), type_="Normal", component="deployment-controller")
        for number, pod in enumerate(old[:6]):
            w.event(pod, "Killing", "Stopping container web", w.ago(6.8), type_="Normal", path="web")
            w.event(pod, "Unhealthy", 'Readiness probe failed: Get "http://10.32.1.8:8080/healthz": dial tcp 10.32.1.8:8080: connect: connection refused', w.ago(6.7))
            if number < 4:
                w.objects.remove(pod)
            else:
                w.terminating(pod, w.ago(0.4), grace=2)
            fresh = w.pod(one, w.workers()[number], w.ago(6.6 - number))
            if number > 2:
                w.unhealthy(fresh, w.ago(6.6 - number), 'Get "http://10.32.4.4:8080/healthz": dial tcp 10.32.4.4:8080: connect: connection refused', count=6)
    return w, Truth(w.ago(7), (("owner", "Deployment checkout/web"),))
