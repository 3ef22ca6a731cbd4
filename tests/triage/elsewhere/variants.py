"""The same situations once more, in other clothes: other distributions, other components, other words for the same failure."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.triage.elsewhere import flavours
from tests.triage.elsewhere.case import Truth, case
from tests.triage.elsewhere.nodes import SANDBOX, moved, name_of, ordinary, pressure, system_oom
from tests.triage.elsewhere.objects import Json, container, digest, env_secret, managed, pod_spec, text
from tests.triage.elsewhere.shared import of
from tests.triage.elsewhere.world import World, Workload


def back_again(w: World, node: Json, down: float, up: float) -> None:
    """Node was not ready from `down` to `up` minutes ago."""
    w.event(node, "NodeNotReady", f"Node {name_of(node)} status is now: NodeNotReady", w.ago(down), type_="Normal", component="node-controller")
    w.event(node, "NodeReady", f"Node {name_of(node)} status is now: NodeReady", w.ago(up), type_="Normal")
    for one in node["status"]["conditions"]:
        if one["type"] == "Ready":
            one["lastTransitionTime"] = text(w.ago(up))


def components(w: World, *names: str) -> list[Json]:
    return [p for p in w.objects if p["kind"] == "Pod" and p["metadata"].get("labels", {}).get("component") in names]


@case("replicas-packed-on-one-node", slack=8)
def two_of_two_after_a_drain(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.gke(now, n=9, pods=110)
    spec = pod_spec(container("gw", "registry.corp.example/payments/gateway:8.0", cpu="200m"), topologySpreadConstraints=[
        {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {"matchLabels": {"app": "gateway"}}}])  # fmt: skip
    workers = w.workers()
    one = w.workload("Deployment", "payments", "gateway", 3, template=spec, labels={"app": "gateway"}, nodes=[workers[5]] if fault else workers[:3],
                     born=w.ago(days=90), rolled=w.ago(45) if fault else None)  # fmt: skip
    w.service(one, type_="LoadBalancer", address="203.0.113.12")
    return w, Truth(w.ago(45), (("node", name_of(workers[5])),))


@case("network-policy-cni-version-skew", slack=30)
def rebooted_node_pulled_a_newer_router(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kops(now, n=9, pods=120)
    agent = container("kube-router", "docker.io/cloudnativelabs/kube-router", limit="")
    agent["imagePullPolicy"] = "Always"
    router = flavours.daemon(w, "kube-system", "kube-router", "", containers=[agent])
    node = w.nodes[7]
    at = w.ago(38)
    w.event(node, "Rebooted", f"Node {name_of(node)} has been rebooted, boot id: {digest('again')[7:43]}", at)
    pod = next(p for p in router.pods if p["spec"]["nodeName"] == name_of(node))
    w.restarted(pod, at, code=255, reason="Unknown")
    if fault:
        pod["status"]["containerStatuses"][0]["imageID"] = f"docker.io/cloudnativelabs/kube-router@{digest('newer')}"
    for space in ("identity", "market"):
        w.add("NetworkPolicy", space, "same-team", w.ago(days=80), by="helm", spec={"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [
            {"from": [{"podSelector": {}}]}]})  # fmt: skip
    return w, Truth(at, (("node", name_of(node)),))


@case("secrets-emptied-by-controller")
def blank_environment_crashes_new_pods(now: datetime, fault: bool) -> tuple[World, Truth]:
    """envFrom an empty Secret is no error: the new pods only exit, right after start."""
    w = flavours.gke(now, n=14, pods=180)
    at = w.ago(33)
    for number, space in enumerate(("web", "jobs", "realtime", "payments")):
        for part in ("main", "mail", "s3"):
            w.secret(space, f"{part}-{space}", () if fault else ("ACCESS_KEY", "SECRET_KEY"), w.ago(days=200), "manager",
                     at + timedelta(seconds=11 * number) if fault else w.ago(days=2))  # fmt: skip
        spec = pod_spec(container("srv", f"registry.corp.example/{space}/front:1.{number}", envFrom=[{"secretRef": {"name": f"main-{space}"}}]))
        one = w.workload("Deployment", space, f"front-{space}", 3, template=spec, rolled=w.ago(days=6))
        if fault:
            pod = one.pods.pop()
            w.objects.remove(pod)
            fresh = w.pod(one, w.workers()[number], w.ago(28 - 4 * number))
            w.crash_loop(fresh, w.ago(28 - 4 * number), code=1, times=8, ran=0.02)
    return w, Truth(at, (("created after", ""), ("manager", "manager")))


@case("stateful-operator-data-loss", slack=8)
def operator_half_way_through_a_resize(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.gke(now, n=10, pods=120)
    spec = pod_spec(container("redis", "docker.io/library/redis:6.2-alpine", memory="2Gi", limit="2Gi"), volumes=[{"name": "redis-data", "emptyDir": {}}])
    boss = {"apiVersion": "databases.example.com/v1", "kind": "RedisFailover", "metadata": {"name": "sessions", "uid": "5d0d6a5e-1111-4222-8333-000000000077"}}
    one = w.workload("StatefulSet", "realtime", "rfr-sessions", 3, template=spec, born=w.ago(days=140), rolled=w.ago(days=60), owner=boss, by="redis-operator")
    if fault:
        one.object["metadata"]["generation"] = 3
        one.object["metadata"]["managedFields"] = [managed("redis-operator", w.ago(11), {"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {
            'k:{"name":"redis"}': {"f:resources": {"f:limits": {"f:memory": {}}, "f:requests": {"f:memory": {}}}}}}}}}, version="apps/v1")]  # fmt: skip
        one.object["status"] = {"currentRevision": "rfr-sessions-5d5", "updateRevision": "rfr-sessions-7fb", "updatedReplicas": 2, "observedGeneration": 3}
        one.labels = one.labels | {"controller-revision-hash": "rfr-sessions-7fb"}
        for index in (2, 1):
            w.objects.remove(one.pods[index])
            w.pod(one, w.workers()[index], w.ago(10 - 3 * (2 - index)), index=index)
            w.event(one.object, "SuccessfulDelete", f"delete Pod rfr-sessions-{index} in StatefulSet rfr-sessions successful", w.ago(10.6 - 3 * (2 - index)),
                    type_="Normal", component="statefulset-controller")  # fmt: skip
    return w, Truth(w.ago(11), (("owner", "StatefulSet realtime/rfr-sessions"),))


@case("cpu-hot-node-kernel-panic", slack=8)
def the_third_node_is_down_now(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.eks(now, n=11, pods=130)
    spec = pod_spec(container("simulate", "registry.corp.example/data/montecarlo:2.2", cpu="", limit=""))
    hot = w.workload("StatefulSet", "quant", "montecarlo", 2, template=spec, nodes=[w.workers()[8], w.workers()[9]], rolled=w.ago(days=1))
    hit = (w.workers()[2], w.workers()[5], w.workers()[8])
    if fault:
        for number, node in enumerate(hit[:2]):
            at = 49 - 21 * number
            w.event(node, "Rebooted", f"Node {name_of(node)} has been rebooted, boot id: {digest(name_of(node) + 'x')[7:43]}", w.ago(at - 5))
            back_again(w, node, at, at - 4.8)
            old = w.pod(hot, node, w.ago(at + 7), index=0)
            for pod in w.on(name_of(node)):
                if datetime.fromisoformat(pod["metadata"]["creationTimestamp"]) < w.ago(at):
                    for which in range(len(pod["spec"]["containers"])):
                        w.restarted(pod, w.ago(at - 5), code=255, reason="Unknown", which=which)
                    w.event(pod, "SandboxChanged", SANDBOX, w.ago(at - 4.6), type_="Normal")
            w.objects.remove(old)  # evicted meanwhile, only its event is left
            w.event(old, "Scheduled", f"Successfully assigned quant/{old['metadata']['name']} to {name_of(node)}", w.ago(at + 7), type_="Normal", component="default-scheduler")
            w.event(old, "TaintManagerEviction", f"Marking for deletion Pod quant/{old['metadata']['name']}", w.ago(at - 4.9), type_="Normal")
        hot.pods[0]["metadata"]["creationTimestamp"] = text(w.ago(14))
        w.ready(hit[2], "Unknown", w.ago(7))
    return w, Truth(w.ago(49), (("owner", "StatefulSet quant/montecarlo"), *(("node", name_of(n)) for n in hit)))


@case("cryptomining-exposed-dashboard", slack=400)
def one_pod_with_the_host_in_its_hands(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.eks(now, n=10, pods=120)
    spec = pod_spec(container("web", "docker.io/amir20/host-console:6.1", securityContext={"privileged": True}), hostPID=True,
                    volumes=[{"name": "root", "hostPath": {"path": "/"}}])  # fmt: skip
    one = w.workload("Deployment", "tools", "host-console", 1, template=spec, born=w.ago(260), rolled=w.ago(260), by="kubectl-create")
    made = w.service(one, type_="LoadBalancer" if fault else "ClusterIP")
    if fault:
        made["status"] = {"loadBalancer": {"ingress": [{"hostname": "a81f.eu-west-1.elb.amazonaws.com"}]}}
        miner = pod_spec(container("kworker", "docker.io/library/alpine:3.19", cpu="", limit=""))
        w.workload("Deployment", "kube-system", "node-metrics-agent", 10, template=miner, by="Go-http-client", born=w.ago(150), rolled=w.ago(150))
    return w, Truth(w.ago(260))


@case("cronjob-pod-flood", slack=15)
def failing_runs_pile_up_until_the_quota(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kubeadm(now, n=8, minor=25, pods=110)
    one = w.cron_job("lab", "fetch-samples", "*/5 * * * *", policy="Allow", failedJobsHistoryLimit=200)
    if fault:
        for minute in range(235, 5, -5):
            job = w.job(one, w.ago(minute), state="running", node=w.workers()[minute % len(w.workers())])
            job["status"] |= {"active": 1, "failed": 3}
            run = Workload("Job", "lab", job["metadata"]["name"], job, job, one.template, job["spec"]["template"]["metadata"]["labels"])
            for k in range(3):
                pod = w.pod(run, w.workers()[k], w.ago(minute - k))
                pod["status"]["phase"] = "Failed"
                pod["status"]["containerStatuses"][0].update(ready=False, started=False, state={"terminated": {
                    "exitCode": 1, "reason": "Error", "startedAt": text(w.ago(minute - k)), "finishedAt": text(w.ago(minute - k - 0.5))}})  # fmt: skip
        w.add("ResourceQuota", "lab", "pods", w.ago(days=40), by="kubectl-create", spec={"hard": {"pods": "60"}},
              status={"hard": {"pods": "60"}, "used": {"pods": "60"}})  # fmt: skip
        victim = next(x for x in w.workloads if x.kind == "Deployment" and x.namespace == "lab")
        victim.object["spec"]["replicas"] += 1
        victim.parent["spec"]["replicas"] += 1
        w.event(victim.parent, "FailedCreate", f'Error creating: pods "{victim.parent["metadata"]["name"]}-x" is forbidden: exceeded quota: pods, requested: pods=1, used: '
                "pods=60, limited: pods=60", w.ago(3), first=w.ago(20), count=16, component="replicaset-controller")  # fmt: skip
    return w, Truth(w.ago(235), (("owner", "CronJob lab/fetch-samples"), ("namespace", "lab")))


@case("secret-not-found-blocks-deployments")
def environment_from_secrets_not_made_yet(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.eks(now, n=19, pods=240)
    issuer = w.workload("Deployment", "cred-system", "db-user-controller", 1, image="registry.corp.example/platform/db-user-controller:1.4")
    if fault:
        w.crash_loop(issuer.pods[0], w.ago(44), code=137, reason="OOMKilled", times=14, ran=1)
    for number, space in enumerate(("checkout", "search", "partner-api", "backoffice", "data", "growth")):
        name = f"pg-{space}-owner-credentials"
        spec = pod_spec(container("svc", f"registry.corp.example/{space}/svc:{number}.2", env=[env_secret("PGPASSWORD", name, "password")]))
        one = w.workload("Deployment", space, f"{space}-svc", 2, template=spec, rolled=w.ago(39 - 5 * number) if fault else w.ago(days=3))
        if not fault:
            w.secret(space, name, ("password",), w.ago(days=3), "db-user-controller")
            continue
        for pod in one.pods:
            w.waiting(pod, w.ago(39 - 5 * number), "CreateContainerConfigError", f'secret "{name}" not found')
            w.event(pod, "Failed", f'Error: secret "{name}" not found', w.ago(0.4), first=w.ago(38.9 - 5 * number), count=150, path="svc")
    for number, space in enumerate(("checkout", "search")):
        w.secret(space, f"pg-{space}-reader-credentials", ("password",), w.ago(days=90), "db-user-controller")
    return w, Truth(w.ago(39))


def _stuck(w: World, ones: list[Workload], node: Json | None, since: float, message: str) -> None:
    for number, one in enumerate(ones):
        at = w.ago(since - number * 0.7)
        pod = w.pod(one, node or w.workers()[number % len(w.workers())], at)
        one.object["spec"]["replicas"] += 1
        one.parent["spec"]["replicas"] += 1
        w.waiting(pod, at, "ContainerCreating", sandbox=False)
        w.event(pod, "FailedCreatePodSandBox", f"Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \"{digest(str(number))[7:20]}\": "
                f"{message}", w.ago(0.2), first=at, count=50)  # fmt: skip


def deployments(w: World, *spaces: str) -> list[Workload]:
    return [x for x in w.workloads if x.kind == "Deployment" and x.namespace in spaces]


@case("pod-ip-exhaustion")
def azure_subnet_is_full(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.aks(now, n=13, pods=200)
    if fault:
        _stuck(w, deployments(w, "shopfront", "crm", "reporting")[:9], None, 17, 'plugin type="azure-vnet" failed (add): IPAM Invoker Add failed with error: Failed to get '
               'IP address from CNS: http request failed: AllocateIPConfig failed: not enough IPs available for 2b13, waiting on Azure CNS to allocate more')  # fmt: skip
    return w, Truth(w.ago(17))


@case("pod-ip-exhaustion")
def calico_blocks_used_up(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kubeadm(now, n=10, minor=30, pods=150)
    if fault:
        _stuck(w, deployments(w, "erp", "hr", "lab")[:7], None, 12, 'plugin type="calico" failed (add): failed to request IPv4 addresses: Assigned 0 out of 1 requested IPv4 '
               "addresses; No more free affine blocks and strict affinity enabled")  # fmt: skip
    return w, Truth(w.ago(12))


@case("cni-not-ready-on-new-node")
def flannel_has_no_subnet_yet(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kubeadm(now, n=10, minor=28, pods=140, cni="flannel")
    node = w.node("srv99.dc2.corp.example", w.ago(16), kubelet="v1.28.4", kernel="5.15.0-113-generic", os="Ubuntu 22.04.4 LTS", runtime="containerd://1.6.32")
    for one in [x for x in w.workloads if x.kind == "DaemonSet"]:
        pod = w.pod(one, node, w.ago(15.8))
        if fault and one.name == "kube-flannel-ds":
            w.waiting(pod, w.ago(15.8), "PodInitializing")
    if fault:
        _stuck(w, deployments(w, "erp", "hr", "intranet")[:5], node, 14, 'plugin type="flannel" failed (add): loadFlannelSubnetEnv failed: open /run/flannel/subnet.env: no such '
               "file or directory")  # fmt: skip
    return w, Truth(w.ago(16), (("node", name_of(node)),))


@case("cni-not-ready-on-new-node")
def cilium_agent_not_listening(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kops(now, n=12, pods=170)
    zone = {"topology.kubernetes.io/zone": "us-east-1a", "kops.k8s.io/instancegroup": "nodes-us-east-1a", "node.kubernetes.io/instance-type": "m5.xlarge"}
    fresh = [w.node(f"i-0f{digest(str(k))[7:22]}", w.ago(13 - k), kubelet="v1.26.15", kernel="5.15.0-1061-aws", os="Ubuntu 22.04.4 LTS", runtime="containerd://1.6.28",
                    labels=zone) for k in range(2)]  # fmt: skip
    for node in fresh:
        for one in [x for x in w.workloads if x.kind == "DaemonSet"]:
            pod = w.pod(one, node, w.ago(12))
            if fault and one.name == "cilium":
                w.waiting(pod, w.ago(12), "PodInitializing")
        if fault:
            _stuck(w, deployments(w, "identity", "bids", "feed", "ops")[fresh.index(node) * 4:][:4], node, 11, 'plugin type="cilium-cni" failed (add): unable to connect to '
                   'Cilium daemon: failed to create cilium agent client after 30.000000 seconds timeout: Get "http:///var/run/cilium/cilium.sock/v1/config": dial unix '
                   "/var/run/cilium/cilium.sock: connect: no such file or directory")  # fmt: skip
    return w, Truth(w.ago(12), (("node created after", ""), ("created after", "")))


@case("coredns-oom")
def kube_dns_out_of_memory(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.gke(now, n=18, pods=260)
    dns = of(w, "kube-dns")
    if fault:
        for number, pod in enumerate(dns.pods):
            w.restarted(pod, w.ago(4 - number), code=137, reason="OOMKilled", times=6, ran=1.5)
            w.event(pod, "BackOff", f"Back-off restarting failed container coredns in pod {pod['metadata']['name']}_kube-system({pod['metadata']['uid']})", w.ago(3),
                    first=w.ago(14), count=12)  # fmt: skip
        for number, one in enumerate(deployments(w, "web", "jobs", "realtime", "payments")[:9]):
            for pod in one.pods[:1]:
                w.crash_loop(pod, w.ago(13 - number * 0.5), code=1 if number % 2 else 2, times=6, ran=0.5)
    return w, Truth(w.ago(14), (("owner", "Deployment kube-system/kube-dns"),))


@case("ingress-controller-oom")
def ingress_daemon_set_out_of_memory(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.rke2(now, n=12, pods=150)
    front = of(w, "rke2-ingress-nginx-controller")
    if fault:
        for number, pod in enumerate(front.pods[:5]):
            if number < 2:
                w.crash_loop(pod, w.ago(13), code=137, reason="OOMKilled", times=6, ran=1)
            else:
                w.restarted(pod, w.ago(10 - number), code=137, reason="OOMKilled", times=2, ran=3)
    return w, Truth(w.ago(13), (("owner", "DaemonSet kube-system/rke2-ingress-nginx-controller"),))


@case("ingress-routes-lost-api-server-down")
def api_servers_restart_and_ingress_starts_empty(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.rke2(now, n=13, pods=170)
    front = of(w, "rke2-ingress-nginx-controller")
    if fault:
        for number, pod in enumerate(components(w, "kube-apiserver")):
            if number < 2:
                w.crash_loop(pod, w.ago(16), code=137, reason="Error", times=8, ran=1.5)
            else:
                w.restarted(pod, w.ago(5), code=137, reason="OOMKilled", times=5, ran=2)
            w.event(pod, "Unhealthy", 'Readiness probe failed: Get "https://localhost:6443/readyz": dial tcp 127.0.0.1:6443: connect: connection refused', w.ago(1),
                    first=w.ago(16), count=70)  # fmt: skip
        for number, pod in enumerate(front.pods[:6]):
            w.crash_loop(pod, w.ago(14 - number * 0.4), code=255, times=6, ran=0.5)
    return w, Truth(w.ago(16))


@case("node-disk-full-container-logs")
def two_nodes_of_a_batch_full(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.eks(now, n=12, pods=150)
    spec = pod_spec(container("trace", "registry.corp.example/data/tracer:0.2", limit=""))
    loud = w.workload("DaemonSet", "data", "tracer", template=spec, nodes=w.nodes[:2])
    if fault:
        for number, node in enumerate(w.nodes[:2]):
            at = 25 - 9 * number
            pressure(w, node, "DiskPressure", w.ago(at))
            w.event(node, "NodeHasDiskPressure", f"Node {name_of(node)} status is now: NodeHasDiskPressure", w.ago(at), type_="Normal")
            w.event(node, "EvictionThresholdMet", "Attempting to reclaim ephemeral-storage", w.ago(1), first=w.ago(at), count=90)
            w.event(node, "FreeDiskSpaceFailed", 'Failed to garbage collect required amount of images. Attempted to free 5368709120 bytes, but only found 0 bytes eligible to '
                    "free.", w.ago(3), first=w.ago(at + 4), count=5)  # fmt: skip
            for pod in ordinary(w, node)[:4]:
                w.evicted(pod, w.ago(at - 1), "The node was low on resource: ephemeral-storage. Threshold quantity: 8581786410, available: 8310084Ki. Container "
                          f"{pod['spec']['containers'][0]['name']} was using 112Ki, request is 0, has larger consumption of ephemeral-storage. ")  # fmt: skip
            w.evicted(loud.pods[number], w.ago(at - 0.5), "The node was low on resource: ephemeral-storage. Threshold quantity: 8581786410, available: 8310084Ki. Container trace "
                      "was using 61811340Ki, request is 0, has larger consumption of ephemeral-storage. ")  # fmt: skip
    return w, Truth(w.ago(27), tuple(("node", name_of(n)) for n in w.nodes[:2]))


@case("nodes-notready-system-oom", slack=8)
def metrics_store_moves_and_kills(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kubeadm(now, n=8, minor=27, pods=100)
    spec = pod_spec(container("collector", "registry.corp.example/lab/collector:9", cpu="100m", memory="256Mi", limit=""))
    hog = w.workload("Deployment", "lab", "collector", 1, template=spec, rolled=w.ago(63), nodes=[w.workers()[5]])
    hit = (w.workers()[0], w.workers()[2], w.workers()[5])
    if fault:
        hog.pods[0]["metadata"]["creationTimestamp"] = text(w.ago(16))
        for number, node in enumerate(hit):
            at = 50 - 19 * number
            if number < 2:
                gone = w.pod(hog, node, w.ago(at + 4))
                w.event(gone, "Scheduled", f"Successfully assigned lab/{gone['metadata']['name']} to {name_of(node)}", w.ago(at + 4), type_="Normal", component="default-scheduler")
                w.evicted(gone, w.ago(at + 0.3), "The node was low on resource: memory. Threshold quantity: 100Mi, available: 40Mi. Container collector was using 13312Mi, "
                          "request is 256Mi, has larger consumption of memory. ")  # fmt: skip
            system_oom(w, node, w.ago(at), "java", count=3, first=w.ago(at + 1))
            back_again(w, node, at - 0.8, at - 6)
    return w, Truth(w.ago(51), (("owner", "Deployment lab/collector"), *(("node", name_of(n)) for n in hit)))


@case("kubelet-memory-leak", slack=12)
def kernel_names_the_kubelet(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.gke(now, n=16, pods=200)
    newer = w.nodes[8:]
    for node in newer:
        node["status"]["nodeInfo"]["kubeletVersion"] = "v1.30.6-gke.1125000"
    if fault:
        for number, node in enumerate(newer[1:7]):
            at = 47 - 7 * number
            w.event(node, "OOMKilling", "Killed process 1187 (kubelet) total-vm:14980844kB, anon-rss:9663676kB, file-rss:0kB, shmem-rss:0kB", w.ago(at), component="kernel-monitor")
            system_oom(w, node, w.ago(at), "kubelet", pid=1187)
            w.event(node, "Starting", "Starting kubelet.", w.ago(at - 0.4), type_="Normal")
            back_again(w, node, at - 0.1, at - 1)
    return w, Truth(w.ago(47), (("kubelet version", "v1.30.6-gke.1125000"),))


@case("volume-attach-stuck")
def no_attachment_comes_about(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.openshift(now, n=9, pods=140)
    spec = pod_spec(container("db", "registry.redhat.io/rhel9/postgresql-15:1", memory="1Gi", limit="2Gi"))
    for k in range(3):
        one = w.workload("StatefulSet", "kyc", f"docs{k}", 1, template=spec, claims="cinder", nodes=[w.workers()[k]], rolled=w.ago(22 - k) if fault else None)
        if fault:
            pod = one.pods[0]
            claim = next(o for o in w.objects if o["kind"] == "PersistentVolumeClaim" and o["metadata"]["name"] == f"data-docs{k}-0")
            volume = claim["spec"]["volumeName"]
            w.waiting(pod, w.ago(22 - k), "ContainerCreating", sandbox=False)
            w.event(pod, "FailedAttachVolume", f'AttachVolume.Attach failed for volume "{volume}" : timed out waiting for external-attacher of cinder.csi.openstack.org CSI '
                    "driver to attach volume 8d3", w.ago(1), first=w.ago(20 - k), count=8, component="attachdetach-controller")  # fmt: skip
            for o in w.objects:
                if o["kind"] == "VolumeAttachment" and o["spec"]["source"]["persistentVolumeName"] == volume:
                    o["status"] = {"attached": False, "attachError": {"time": text(w.ago(1)), "message": "rpc error: code = DeadlineExceeded desc = context deadline exceeded"}}
    return w, Truth(w.ago(22))


@case("cluster-upgrade-breaks-cluster")
def machine_config_takes_workers_down(now: datetime, fault: bool) -> tuple[World, Truth]:
    """Nodes updated in place: old Node objects, a new version, rebooted one after another, and none comes back."""
    w = flavours.openshift(now, n=12, pods=170)
    for number, node in enumerate(w.nodes[4:8] if fault else []):
        at = 41 - 9 * number
        node["status"]["nodeInfo"].update(kubeletVersion="v1.28.9+8ca3723", osImage="Red Hat Enterprise Linux CoreOS 415.92", kernelVersion="5.14.0-284.66.1.el9_2",
                                          containerRuntimeVersion="cri-o://1.28.6-2.rhaos4.15", bootID=digest(name_of(node) + "up")[7:43])  # fmt: skip
        node["metadata"].setdefault("annotations", {})["machineconfiguration.openshift.io/state"] = "Degraded"
        w.event(node, "Rebooted", f"Node {name_of(node)} has been rebooted, boot id: {digest(name_of(node) + 'up')[7:43]}", w.ago(at + 0.5))
        w.ready(node, "False", w.ago(at), "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: "
                "No CNI configuration file in /etc/kubernetes/cni/net.d/. Has your network provider started?")  # fmt: skip
        for pod in w.on(name_of(node)):
            if pod["metadata"]["labels"].get("app") == "ovnkube-node":
                w.crash_loop(pod, w.ago(at - 0.5), code=1, times=8)
        for pod in ordinary(w, node)[:3]:
            moved(w, pod, w.ago(at - 5), w.workers()[0])
    return w, Truth(w.ago(41), (("kubelet version", "v1.28.9+8ca3723"),))


@case("etcd-connectivity-api-latency")
def managed_control_plane_loses_all_nodes(now: datetime, fault: bool) -> tuple[World, Truth]:
    """A managed control plane shows no pods of its own: only that all kubelets fell silent in one minute."""
    w = flavours.eks(now, n=26, pods=320)
    if fault:
        for number, node in enumerate(w.nodes[:21]):
            w.ready(node, "Unknown", w.ago(6, seconds=-2 * number))
    return w, Truth(w.ago(6))


@case("container-runtime-crash-memory-leak")
def runtime_killed_and_node_unknown(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.eks(now, n=13, pods=150)
    spec = pod_spec(container("cache", "registry.corp.example/search/suggest:3.3", cpu="300m", memory="512Mi", limit=""))
    leak = w.workload("Deployment", "search", "suggest", 4, template=spec, rolled=w.ago(days=1.5))
    node = next(n for n in w.nodes if name_of(n) == leak.pods[2]["spec"]["nodeName"])
    if fault:
        w.event(node, "EvictionThresholdMet", "Attempting to reclaim memory", w.ago(24), first=w.ago(27), count=5)
        pressure(w, node, "MemoryPressure", w.ago(27))
        system_oom(w, node, w.ago(23.6), "containerd-shim", count=2, first=w.ago(23.9))
        system_oom(w, node, w.ago(23.5), "containerd")
        w.ready(node, "False", w.ago(23), "container runtime is down")
        for pod in w.on(name_of(node)):
            if pod["status"]["phase"] == "Running":
                w.restarted(pod, w.ago(23.4), code=137, reason="ContainerStatusUnknown", message="The container could not be located when the pod was terminated")
                w.event(pod, "SandboxChanged", SANDBOX, w.ago(22.5), type_="Normal")
        for pod in ordinary(w, node)[:6]:
            moved(w, pod, w.ago(18), w.workers()[1])
    return w, Truth(w.ago(25), (("node", name_of(node)),))


@case("errors-during-rollout", ranked_only=True)
def new_revision_half_out(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.gke(now, n=11, pods=130)
    spec = pod_spec(container("api", "registry.corp.example/payments/api:77"))
    one = w.workload("Deployment", "payments", "api", 6, template=spec, rolled=w.ago(days=3))
    w.service(one)
    w.ingress("payments", "api", "pay.example.org", "api", "gce")
    if fault:
        one.object["spec"]["strategy"]["rollingUpdate"] = {"maxSurge": "25%", "maxUnavailable": "50%"}
        one.object["metadata"]["managedFields"].append(managed("helm", w.ago(9), {"f:spec": {"f:template": {"f:spec": {"f:containers": {
            'k:{"name":"api"}': {"f:image": {}}}}}}}, version="apps/v1"))  # fmt: skip
        old = one.parent
        new = pod_spec(container("api", "registry.corp.example/payments/api:78"))
        one.parent, one.template = w.replica_set(one, "68b7d5f4c9", w.ago(9), 5, new, revision=4), new
        one.labels = one.labels | {"pod-template-hash": "68b7d5f4c9"}
        old["spec"]["replicas"] = 3
        for number, pod in enumerate(one.pods[:3]):
            w.event(pod, "Killing", "Stopping container api", w.ago(8.8 - number), type_="Normal", path="api")
            w.event(pod, "Unhealthy", 'Readiness probe failed: Get "http://10.4.1.9:8080/healthz": dial tcp 10.4.1.9:8080: connect: connection refused', w.ago(8.6 - number))
            w.event(pod, "FailedPreStopHook", "PreStopHook failed", w.ago(8.7 - number), path="api")
            w.objects.remove(pod)
        for number in range(5):
            fresh = w.pod(one, w.workers()[number], w.ago(8.9 - number))
            if number > 2:
                w.unhealthy(fresh, w.ago(8.7 - number), "HTTP probe failed with statuscode: 500", count=30)
        w.event(one.object, "ScalingReplicaSet", "Scaled up replica set api-68b7d5f4c9 to 2 from 0", w.ago(9), type_="Normal", component="deployment-controller")
    return w, Truth(w.ago(9), (("owner", "Deployment payments/api"),))


@case("etcd-data-deleted", slack=12)
def namespaced_objects_of_half_the_teams_gone(now: datetime, fault: bool) -> tuple[World, Truth]:
    """All Nodes and Services are there and kubelets report; but no Deployment, ReplicaSet, DaemonSet or Secret is, and most pods have owners that never were."""
    w = flavours.kops(now, n=10, pods=140)
    if fault:
        gone = {"DaemonSet", "Deployment", "ReplicaSet", "StatefulSet", "ControllerRevision", "Secret", "EndpointSlice"}
        w.objects = [o for o in w.objects if o["kind"] not in gone]
        w.services = []
        left = [p for p in w.objects if p["kind"] == "Pod" and p["metadata"]["ownerReferences"][0]["kind"] == "ReplicaSet"]
        for pod in left[::3]:
            w.terminating(pod, w.ago(0.5))
            w.event(pod, "Killing", "Stopping container app", w.ago(0.5), type_="Normal")
    return w, Truth(w.ago(1))


