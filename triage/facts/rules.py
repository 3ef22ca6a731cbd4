"""The vocabulary of triage: every rule id, what it says, and the facts its findings carry.

Runbooks match on these ids and facts (`match: {strong, support, refute}`), so both are a contract:
ids and facts are only added. Three vocabularies stand here: `FINDINGS` (abnormal facts about
objects), `CHANGES` (what was edited before) and `COHORTS` (the attributes that failing objects may
share). A finding about the cluster as a whole has the object `Ref("Cluster", "", "")`.

Facts have plain types: str, int, float, bool, None (not known) or a tuple of str. Findings about
pods carry `POD_FACTS` as well, findings about nodes `NODE_FACTS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

POD_FACTS: Mapping[str, str] = MappingProxyType(
    {
        "namespace": "str",
        "node": "str: node name, empty before scheduling",
        "owner": "str: name of the top controller (Deployment, CronJob, …), empty for bare pods",
        "owner_kind": (
            "str: Deployment, DaemonSet, StatefulSet, Job, CronJob, Node (static pod) or empty"
        ),
        "role": (
            "str: dns, ingress, cni, proxy, storage, log-shipper, control-plane or empty; by "
            "structure (ports, mounts, Services), not by the object's name"
        ),
    }
)

NODE_FACTS: Mapping[str, str] = MappingProxyType(
    {
        "pool": "str: node pool or instance type, empty when unlabelled",
        "zone": "str",
        "kubelet": "str: kubelet version",
        "new_node": "bool: created less than an hour before the finding began",
        "control_plane": "bool: labelled as control plane",
    }
)


class Rule(msgspec.Struct, frozen=True):
    """One signal. `source` says where the rule comes from (table of the reference, story,
    Kubernetes source)."""

    id: str
    area: str
    doc: str
    facts: Mapping[str, str] = msgspec.field(default_factory=lambda: MappingProxyType({}))
    source: str = ""

    @property
    def fact_names(self) -> frozenset[str]:
        """The facts of this rule together with the common ones of its area."""
        common: frozenset[str] = frozenset()
        if self.area == "pod":
            common = frozenset(POD_FACTS)
        elif self.area == "node":
            common = frozenset(NODE_FACTS)
        return common | frozenset(self.facts)


def _rule(id_: str, area: str, doc: str, source: str = "", /, **facts: str) -> Rule:
    return Rule(id_, area, doc, MappingProxyType(facts), source)


_FINDINGS: tuple[Rule, ...] = (
    # ---- nodes
    _rule(
        "node-not-ready",
        "node",
        "Ready is False or Unknown",
        "node lifecycle controller; kubelet setters.go",
        status="str: False or Unknown",
        cause=(
            "str: runtime-down, pleg, network-plugin, shutting-down, kubelet-silent, "
            "never-reported or other (the first that applies)"
        ),
        causes="tuple: all that apply",
        reason="str: reason of the condition",
        cordoned="bool",
        lease_fresh="bool or None: the node's Lease was renewed within 40 s (None: no Lease seen)",
    ),
    _rule(
        "node-pressure",
        "node",
        "MemoryPressure, DiskPressure or PIDPressure is True (Unknown is not pressure)",
        "kubelet eviction manager",
        pressure="str: memory, disk or pid",
    ),
    _rule(
        "node-network-unavailable",
        "node",
        "NetworkUnavailable is True: the network of the node was not set up",
        "cloud node controller",
    ),
    _rule(
        "node-problem",
        "node",
        "A problem condition of node-problem-detector or its like is True, or it reported an event",
        "node-problem-detector config/*.json",
        type="str: condition type or event reason",
        reason="str",
    ),
    _rule(
        "node-system-oom",
        "node",
        (
            "The kernel ran out of memory on the node (SystemOOM of the kubelet, OOMKilling of "
            "node-problem-detector)"
        ),
        "kubelet oom_watcher_linux.go; story 004",
        count="int: times seen",
        victims="tuple: process names killed",
        victim_runtime="bool: a container runtime was killed (dockerd, containerd, crio)",
        victim_kubelet="bool: the kubelet was killed",
        no_limit_owners="tuple: owners with containers without a memory limit on this node",
        recovered="bool: the node is Ready now",
    ),
    _rule(
        "node-eviction-threshold",
        "node",
        "The kubelet reclaims a resource by evicting pods (EvictionThresholdMet)",
        "eviction_manager.go",
        resource="str: memory, ephemeral-storage, inodes, pids",
        count="int",
    ),
    _rule(
        "node-disk-reclaim-failed",
        "node",
        "Image garbage collection or freeing disk space failed on the node",
        "kubelet events",
        count="int",
    ),
    _rule(
        "node-rebooted",
        "node",
        "The node was rebooted (event Rebooted or its bootID changed)",
        "kubelet setters.go; story 002 Moonlight",
        planned="bool: it was cordoned then, or its versions changed with the reboot",
        boot_id="str",
    ),
    _rule(
        "node-flapping",
        "node",
        "Ready changed at least three times within an hour",
        "kubernetes-mixin KubeNodeReadinessFlapping",
        transitions="int",
    ),
    _rule(
        "node-recovered",
        "node",
        "The node was not ready within the last half hour and is Ready again (info)",
        "NodeNotReady and NodeReady events",
        down_seconds="int or None",
    ),
    _rule(
        "node-lease-stale",
        "node",
        "The node's Lease has not been renewed for over 40 s",
        "node lease, KEP-9",
        seconds="int",
        ready="str: status of Ready",
    ),
    _rule(
        "node-cordoned",
        "node",
        "The node is marked unschedulable (info by itself)",
        "spec.unschedulable",
        by="str: field manager, or empty",
    ),
    _rule(
        "node-pods-full",
        "node",
        "At least 95 % of the pods that the node may run are there",
        "kubernetes-mixin KubeletTooManyPods",
        pods="int",
        capacity="int",
    ),
    _rule(
        "node-version-outlier",
        "node",
        "The kubelet version differs from most nodes",
        "story 003 #6",
        majority="str",
        skew_minor="int: minor versions apart, newer is positive",
        count="int: nodes with this version",
    ),
    _rule(
        "node-kernel-cfs-bug",
        "node",
        "Kernel older than 4.19 with containers that have a CPU limit: throttled below it (info)",
        "story 002 Buffer; kubernetes issue 67577",
        kernel="str",
        containers="int: with a CPU limit",
    ),
    _rule(
        "restarts-together-on-node",
        "node",
        (
            "Containers of at least three owners ended on one node within two minutes, not at "
            "their own limit"
        ),
        "story 000: the runtime crashed",
        owners="int",
        containers="int",
        exit_codes="tuple: as strings",
        own_limit="int: ended OOMKilled at their own limit",
        rebooted="bool; None: no event of that time is left to tell",
    ),
    _rule(
        "sandboxes-recreated-on-node",
        "node",
        "SandboxChanged for pods of at least three owners on one node: runtime restart or reboot",
        "kubelet kuberuntime_manager",
        pods="int",
        owners="int",
        rebooted="bool",
    ),
    _rule(
        "pods-stuck-on-node",
        "node",
        "Pods of several owners do not start or do not end on one node, while other nodes work",
        "story 003: runtime hung",
        creating="int",
        terminating="int",
        owners="int",
        node_ready="bool",
    ),
    # ---- nodes, seen together
    _rule(
        "nodes-unknown-together",
        "cluster",
        "Many nodes of several pools stopped reporting within 90 s: suspect the control plane",
        "story 003 #5; node lifecycle",
        nodes="int",
        total="int",
        within_seconds="int",
        pools="int",
        recovered="int: Ready again now",
        all="bool: every node",
        bursts="int: how often within the hour",
        burstable="bool: control plane nodes of a burstable type",
    ),
    _rule(
        "leases-stale-together",
        "cluster",
        "At least half of the node Leases are stale at once",
        "story 003 #5",
        nodes="int",
        total="int",
    ),
    _rule(
        "nodes-failing-in-turn",
        "cluster",
        "Nodes fail one after another",
        "stories 002 Moonlight and 004",
        nodes="int",
        span_seconds="int",
        suspect="str: owner that was on every failed node",
        suspect_on="int: failed nodes it was on",
        suspect_elsewhere="int: healthy nodes it is on",
        suspect_no_limits="bool: no memory limit (no CPU limit where nodes reboot)",
        victims="tuple: processes killed on them",
        victim_runtime="bool",
        victim_kubelet="bool",
        suspect_arrived="int: failed nodes that it came to within the hour before",
        oom="int: nodes with a system OOM",
        reboots="int: nodes rebooted",
        owners_tried="int: owners compared",
    ),
    _rule(
        "failures-on-new-nodes",
        "cluster",
        (
            "Failing nodes or pods are on nodes that joined or changed version lately, the "
            "older nodes are fine"
        ),
        "story 003 #6",
        nodes="int: failing new nodes",
        new_total="int",
        version="str: their kubelet version",
        version_differs="bool",
        by="str: creation, kubelet version or os image",
    ),
    # ---- pods
    _rule(
        "pod-unschedulable",
        "pod",
        "The scheduler finds no node",
        "kube-scheduler FitError",
        cause=(
            "str: insufficient-memory, insufficient-cpu, insufficient-pods, "
            "insufficient-storage, insufficient-other, taint, node-not-ready, affinity, "
            "anti-affinity, topology-spread, volume-affinity, volume-count, volume-unbound, "
            "claim-missing, host-port, cordoned, gated or other; the one that most nodes give"
        ),
        causes="tuple: all, most frequent first",
        nodes="int: nodes looked at",
    ),
    _rule(
        "pod-not-scheduled",
        "pod",
        "Pending without any word from a scheduler",
        "kube-scheduler down",
        seconds="int",
    ),
    _rule(
        "pod-evicted",
        "pod",
        "The kubelet evicted the pod",
        "eviction/helpers.go",
        resource="str: memory, ephemeral-storage, pids, inodes, … or empty",
        ended="str: RFC 3339",
    ),
    _rule(
        "pod-failed",
        "pod",
        "A bare pod ended with an error and stays so (info)",
        "terminated.exitCode of a pod without a controller",
        exit_code="int",
        reason="str",
    ),
    _rule(
        "pod-rejected-by-kubelet",
        "pod",
        "Refused by the kubelet after scheduling; controllers keep creating more",
        "kubelet lifecycle/predicate.go",
        reason="str: OutOfpods, …",
    ),
    _rule(
        "pod-preempted",
        "pod",
        "Removed for a pod of higher priority",
        "scheduler preemption",
        by="str",
    ),
    _rule(
        "pod-crash-looping",
        "pod",
        "A container restarts again and again",
        "CrashLoopBackOff; also while it runs between two crashes",
        container="str",
        restarts="int",
        exit_code="int or None",
        reason="str: of the last end",
        ran_seconds="int or None: how long it ran",
        oom="bool",
    ),
    _rule(
        "pod-oom-killed",
        "pod",
        "A container was killed at its own memory limit",
        "lastState.terminated of running containers too",
        container="str",
        limit="str",
        restarts="int",
        running_again="bool",
    ),
    _rule(
        "pod-container-lost",
        "pod",
        (
            "The runtime or the node lost the container (ContainerStatusUnknown, exit 137 "
            "without OOM, 255): not an OOM of its own"
        ),
        "kubelet",
        container="str",
        exit_code="int",
    ),
    _rule(
        "pod-restarted",
        "pod",
        "A container ended with an error lately and runs again",
        "lastState.terminated",
        container="str",
        exit_code="int",
        reason="str",
        restarts="int",
    ),
    _rule(
        "pod-image-pull-failed",
        "pod",
        "The image cannot be pulled",
        "ErrImagePull, ImagePullBackOff, InvalidImageName, ErrImageNeverPull",
        image="str",
        cause=(
            "str: not-found, unauthorized, rate-limited, timeout, dns, tls, refused, no-space, "
            "invalid-name or other"
        ),
        registry="str",
    ),
    _rule(
        "pod-config-missing",
        "pod",
        "A Secret or ConfigMap, or a key in it, is not there",
        "kubelet_pods.go; FailedMount",
        kind="str: Secret or ConfigMap",
        name="str",
        key="str: missing key, empty when the whole object is missing",
        how="str: env or volume",
        exists="bool or None: the object is there now (None: not readable)",
    ),
    _rule(
        "pod-container-create-failed",
        "pod",
        "The container cannot be created or started",
        "CreateContainerError, RunContainerError, StartError",
        reason="str",
        container="str",
    ),
    _rule(
        "pod-sandbox-failed",
        "pod",
        "The pod's sandbox (network namespace) cannot be created",
        "FailedCreatePodSandBox, NetworkNotReady",
        cause="str: ip-exhausted, cni-not-ready, timeout, name-reserved, no-space, cni or other",
    ),
    _rule(
        "pod-volume-failed",
        "pod",
        "A volume cannot be attached or mounted",
        "FailedAttachVolume, FailedMount",
        cause="str: multi-attach, attach, attach-limit, mount, timeout or other",
        volume="str",
        driver="str: CSI driver or empty",
        claim="str",
    ),
    _rule(
        "pod-not-starting",
        "pod",
        "Containers are not created, and nothing says why",
        "PodReadyToStartContainers",
        seconds="int",
    ),
    _rule(
        "pod-not-ready",
        "pod",
        "Running and not ready for longer than a start takes",
        "Ready condition",
        seconds="int",
        probe="str: refused, timeout, status, dns, other or empty",
        was_ready="bool: it had been ready before",
    ),
    _rule(
        "pod-liveness-killed",
        "pod",
        "The liveness or startup probe restarts the container",
        "Killing, Unhealthy",
        count="int",
        probe="str: refused, timeout, status, other",
    ),
    _rule(
        "pod-stuck-terminating",
        "pod",
        "Deleted, and still there two minutes after its grace period",
        "deletionTimestamp",
        seconds="int",
        node_ready="bool",
        finalizers="tuple",
    ),
    # ---- pods, seen together
    _rule(
        "secret-missing-across-namespaces",
        "cluster",
        (
            "Pods of at least three namespaces (or owners) wait for Secrets that do not exist: "
            "one supplier"
        ),
        "story 003 #8",
        namespaces="int",
        pods="int",
        pattern="str: common name pattern such as *-credentials",
        only_new="bool: every older pod is fine",
        supplier="str: field manager of sibling Secrets",
    ),
    _rule(
        "secret-keys-lost",
        "cluster",
        "Existing Secrets lost keys that pods need",
        "story 000: a controller emptied every Secret",
        secrets="int",
        namespaces="int",
        manager="str: who wrote them last",
        within_seconds="int: all written within",
        pods="int",
        seen="bool: keys were there before (own snapshot)",
    ),
    _rule(
        "new-pods-failing",
        "cluster",
        "Pods created after a moment fail, all older ones are healthy",
        "story 000, story 003 #8",
        owners="int",
        namespaces="int",
        failing="int",
        new="int: pods created since",
        at="str: RFC 3339",
    ),
    _rule(
        "dns-lookups-failing",
        "cluster",
        "Messages of several owners report failing or slow name look-ups",
        "story 003 #3",
        owners="int",
        namespaces="int",
        kind="str: timeout or not-found",
    ),
    _rule(
        "not-ready-together",
        "cluster",
        (
            "Pods of many owners in several namespaces became unready within two minutes, on "
            "several nodes"
        ),
        "story 003 #3",
        owners="int",
        namespaces="int",
        nodes="int",
    ),
    _rule(
        "pods-rejected-in-bulk",
        "cluster",
        "Many pods of one owner were rejected or evicted and created again",
        "OutOfpods loop",
        owner="str",
        pods="int",
        reason="str",
    ),
    # ---- workloads
    _rule(
        "workload-unavailable",
        "workload",
        "No replica is ready",
        "status.readyReplicas",
        ready="int",
        desired="int",
        role="str",
        single="bool: one replica wanted",
    ),
    _rule(
        "workload-degraded",
        "workload",
        "Fewer replicas are ready than wanted, and no rollout explains it",
        "status.readyReplicas",
        ready="int",
        desired="int",
        role="str",
    ),
    _rule(
        "generation-not-observed",
        "workload",
        "A change that the workload's controller has not acted on",
        "kubernetes-mixin KubeDeploymentGenerationMismatch",
        generation="int",
        observed="int",
        manager="str: who wrote it",
    ),
    _rule(
        "governing-service-missing",
        "workload",
        "A StatefulSet's headless Service does not exist (info)",
        "spec.serviceName",
        service="str",
    ),
    _rule(
        "rollout-stuck",
        "workload",
        "A rollout made no progress within its deadline",
        "Progressing=False ProgressDeadlineExceeded",
        image="str: of the new revision",
        paused="bool",
    ),
    _rule(
        "create-failed",
        "workload",
        "A controller cannot create pods",
        "FailedCreate, ReplicaFailure",
        cause="str: quota, webhook, forbidden, limits, service-account, etcd or other",
        detail="str: name of the quota or webhook",
    ),
    _rule(
        "replicas-on-one-node",
        "workload",
        "All ready replicas of a workload are on one node although others could take them",
        "story 000; OpenShift HighlyAvailableWorkloadIncorrectlySpread",
        replicas="int",
        node="str",
        preferred="bool: anti-affinity preferred only",
        spread="bool: soft topology spread",
        other_nodes="int: nodes beside it that the template allows",
        free_nodes="int: those that would take a pod now (capacity aside)",
        services="tuple: Services that die with the node",
    ),
    _rule(
        "replicas-in-one-zone",
        "workload",
        "All ready replicas are in one zone (info)",
        "topology.kubernetes.io/zone",
        replicas="int",
        zone="str",
    ),
    _rule(
        "rollout-not-graceful",
        "workload",
        (
            "A workload behind a Service was rolled out lately without anything that lets "
            "connections drain (info)"
        ),
        "story 003: 502s while pods shut down",
        pre_stop="bool",
        readiness="bool",
        grace_seconds="int",
        at="str: RFC 3339",
        restarting="bool: still rolling",
        ingress="bool: an Ingress leads to it",
        cut="int: pods on their way out whose probes were refused",
    ),
    _rule(
        "stateful-on-emptydir",
        "workload",
        (
            "A stateful workload that keeps its data in emptyDir was edited or restarted: what "
            "it held is gone"
        ),
        "story 002 Flant",
        edited_by="str",
        edited_at="str: RFC 3339 or empty",
        restarted="int: pods created since the edit",
        pods="int",
        rolling="bool",
    ),
    _rule(
        "daemonset-image-drift",
        "workload",
        "Pods of one DaemonSet and one revision run different images under one image name",
        "story 000: CNI image tagged latest",
        container="str",
        image="str",
        digests="int",
        odd_nodes="tuple: nodes with the rarer digest",
        odd="int",
        usual="int",
        floating="bool: no tag, latest or pull policy Always",
        odd_is_newest="bool: the odd nodes are the youngest, or rebooted last",
        role="str: cni, proxy, …",
        network="bool: role is cni or proxy, or a privileged system agent on the host network",
        odd_digest="str: digest (or image, when the names differ)",
        usual_digest="str",
        skew="bool: the image names differ, an update has stopped half-way",
    ),
    _rule(
        "daemonset-update-failing",
        "workload",
        "Pods of the newest revision of a DaemonSet fail while those of the revision before work",
        "story 003 #6: a change that is rolled out takes node after node",
        revision="str",
        image="str: what the new revision runs",
        failing="int: failing pods of it",
        updated="int: pods of it",
        old="int: pods of other revisions",
        old_failing="int",
        role="str: cni, proxy, …",
        nodes="tuple: nodes on which it fails",
    ),
    _rule(
        "daemonset-short",
        "workload",
        "Fewer pods of a DaemonSet are ready than nodes want it",
        "status.numberReady",
        ready="int",
        desired="int",
        role="str",
        nodes="tuple: nodes without a ready one",
    ),
    _rule(
        "job-failed",
        "workload",
        "A Job gave up and no later run succeeded",
        "Job condition Failed",
        reason="str: BackoffLimitExceeded or DeadlineExceeded",
        cronjob="str",
    ),
    _rule(
        "cronjob-flood",
        "workload",
        "A CronJob starts Jobs faster than they end",
        "story 003 #2",
        jobs="int: active",
        pods="int: not finished",
        policy="str: concurrencyPolicy, Allow when absent",
        oldest_seconds="int",
        deadline="bool: activeDeadlineSeconds is set",
    ),
    _rule(
        "cronjob-missed",
        "workload",
        "A CronJob misses its schedule",
        "TooManyMissedTimes, FailedCreate, UnparseableSchedule",
        reason="str",
    ),
    _rule(
        "hpa-maxed",
        "workload",
        "An autoscaler wants more than its maximum",
        "ScalingLimited=True TooManyReplicas",
        current="int",
        maximum="int",
    ),
    _rule(
        "hpa-cannot-scale",
        "workload",
        "An autoscaler cannot read its metrics or reach its target",
        "ScalingActive or AbleToScale False",
        reason="str",
    ),
    _rule(
        "pdb-blocking",
        "workload",
        "A disruption budget allows no eviction because pods are not healthy",
        "status.disruptionsAllowed",
        healthy="int",
        desired="int",
    ),
    # ---- cluster services
    _rule(
        "dns-degraded",
        "workload",
        "The cluster's DNS servers are down, restarting or killed for memory",
        "story 003 #3",
        ready="int",
        total="int",
        oom_killed="int: pods killed for memory within the hour",
        restarted="int: pods restarted within the hour",
        limit="str: memory limit",
        crash_looping="int",
    ),
    _rule(
        "dns-single",
        "workload",
        "DNS runs as one replica, or all on one node (info)",
        "story 003: single kube-dns pod",
        replicas="int",
        nodes="int",
    ),
    _rule(
        "ingress-degraded",
        "workload",
        "Pods of the ingress controller are down, restarting or killed for memory",
        "story 003 #1",
        ready="int",
        total="int",
        oom_killed="int",
        restarted="int",
        limit="str",
        hosts="int: Ingress hosts served",
        within_seconds="int: between the restarts",
        backends_ready="bool: Services behind the Ingresses have ready endpoints",
        by_itself="bool: containers ended, or pods are not ready whose node is",
    ),
    _rule(
        "control-plane-degraded",
        "cluster",
        "A control plane component is down, restarting or killed for memory",
        "story 003 #2, #5",
        component="str: kube-apiserver, etcd, kube-controller-manager or kube-scheduler",
        ready="int",
        total="int",
        oom_killed="int",
        restarted="int",
        unhealthy="int: failed probes within half an hour",
        burstable="bool: control plane nodes of a burstable instance type (t2, t3, t4g, B)",
    ),
    _rule(
        "etcd-errors-in-messages",
        "cluster",
        "Messages of controllers and events report etcd time-outs or leader changes",
        "story 003 #5",
        count="int",
        objects="int",
        kind="str: timeout, leader-changed, no-space or other",
    ),
    _rule(
        "leader-changes",
        "cluster",
        "Control plane components lost and took their leader Lease again and again",
        "LeaderElection events",
        count="int",
        components="tuple",
    ),
    _rule(
        "api-server-unreachable",
        "cluster",
        "Nothing is heard from the API server: all that is shown is old",
        "freshness of every kind",
        kinds="int",
        since="str: RFC 3339",
    ),
    _rule(
        "api-errors-in-messages",
        "cluster",
        "Controllers and kubelets report that the API server does not answer",
        "events and conditions",
        count="int",
        objects="int",
    ),
    # ---- network and services
    _rule(
        "service-no-endpoints",
        "service",
        "A Service with a selector has no ready endpoint",
        "EndpointSlice",
        pods="int: matched by the selector",
        not_ready="int",
        type="str",
        selector_matches="bool",
        role="str",
        hosts="tuple: Ingress hosts behind it",
    ),
    _rule(
        "endpoints-not-updated",
        "service",
        "The endpoints of a Service cannot be updated",
        "FailedToUpdateEndpoint, FailedToUpdateEndpointSlices",
        count="int",
    ),
    _rule(
        "load-balancer-failed",
        "service",
        "The cloud load balancer of a Service cannot be synchronised",
        "service controller: SyncLoadBalancerFailed, …",
        reason="str",
        count="int",
    ),
    _rule(
        "load-balancer-churn",
        "service",
        "The load balancer's backends are rewritten again and again",
        "UpdatedLoadBalancer; story 001",
        count="int",
        seconds="int: over",
    ),
    _rule(
        "load-balancer-pending",
        "service",
        "A Service of type LoadBalancer has no address",
        "status.loadBalancer",
        seconds="int",
    ),
    _rule(
        "load-balancer-local-few",
        "service",
        (
            "externalTrafficPolicy Local with endpoints on few nodes: the others fail the "
            "balancer's check by design (info)"
        ),
        "story 001",
        nodes="int",
        total="int",
    ),
    _rule(
        "ingress-backend-missing",
        "service",
        "An Ingress leads to a Service that does not exist",
        "Ingress",
        service="str",
        hosts="tuple",
    ),
    _rule(
        "ingress-tls-missing",
        "service",
        "An Ingress names a TLS Secret that does not exist",
        "Ingress",
        secret="str",  # noqa: S106  # a fact's type
    ),
    _rule(
        "webhook-backend-down",
        "cluster",
        "An admission webhook with failurePolicy Fail has no ready backend: it blocks writes",
        "Jetstack story",
        webhook="str",
        service="str",
        timeout="int: seconds",
        mutating="bool",
    ),
    _rule(
        "exposed-privileged-workload",
        "service",
        "A public Service leads to pods with power over their node",
        "story 002 JW Player",
        privileged="bool",
        host_pid="bool",
        host_network="bool",
        host_paths="tuple",
        type="str: LoadBalancer, NodePort or Ingress",
        address="str",
        source_ranges="bool",
        public="bool: a balancer that is neither internal nor limited to ranges",
        agents="int: sibling pods with power over nodes",
        stranger="str: first object made afterwards by a hand that had written nothing before",
        stranger_by="str: its field manager",
    ),
    # ---- storage and quota
    _rule(
        "claim-pending",
        "storage",
        "A volume claim is not bound although a pod waits for it",
        "ProvisioningFailed",
        storage_class="str",
        reason="str",
    ),
    _rule(
        "volume-failed",
        "storage",
        "A persistent volume is in phase Failed",
        "status.phase",
        reason="str",
    ),
    _rule(
        "volume-attachment-failed",
        "storage",
        "A volume cannot be attached to or detached from a node",
        "VolumeAttachment",
        operation="str: attach or detach",
        driver="str",
        node="str",
        node_exists="bool",
        node_ready="bool",
        attached_elsewhere="str: other node that holds the volume",
    ),
    _rule(
        "quota-exceeded",
        "workload",
        "A quota refuses new objects",
        "exceeded quota",
        quota="str",
        resource="str",
        used="str",
        hard="str",
    ),
    # ---- objects lost
    _rule(
        "objects-vanished",
        "cluster",
        "The number of objects of several kinds fell by more than half within minutes",
        "story 003 #4",
        kinds="tuple",
        before="int",
        after="int",
    ),
    _rule(
        "owners-missing",
        "cluster",
        "Objects live on whose controllers are gone",
        "garbage collector has not acted",
        objects="int",
        owners="int",
        kinds="tuple: kinds of the missing owners",
        namespaces="int",
    ),
    _rule(
        "references-dangling",
        "cluster",
        "Many references lead to objects that no longer exist",
        "HPA, Ingress, EndpointSlice, claims",
        count="int",
        kinds="tuple",
        namespaces="int",
    ),
    _rule(
        "system-namespaces-recreated",
        "cluster",
        "kube-system is younger than other objects: it was lost and recreated",
        "story 003 #4",
        created="str: RFC 3339",
        recent="bool: within a day",
        older="int: objects older than it",
    ),
    _rule(
        "system-workloads-missing",
        "cluster",
        "Nodes run, but kube-system holds no workload any more",
        "story 003 #4",
        pods="int",
    ),
    # ---- measured, only where a source is there (triage.sources)
    _rule(
        "cpu-throttled-below-limit",
        "measured",
        (
            "Containers are throttled in over 25 % of periods while they use much less than "
            "their limit"
        ),
        "kubernetes-mixin CPUThrottlingHigh; story 002 Buffer",
        ratio="float",
        usage_of_limit="float",
        kernel="str",
        containers="int",
    ),
    _rule(
        "cpu-throttled-at-limit",
        "measured",
        "A container is throttled because it uses all of its limit",
        "story 003 #8",
        ratio="float",
        usage_of_limit="float",
    ),
    _rule(
        "kubelet-memory-high",
        "measured",
        "The kubelet uses more than 1 GiB, or more than four times what its peers use",
        "story 003 #7",
        bytes="int",
        peers="int: median of the others",
        kubelet="str",
        victims="int: nodes like this",
    ),
    _rule(
        "node-memory-unaccounted",
        "measured",
        "Memory of the node that no pod, runtime or kubelet explains",
        "node - pods - system containers",
        bytes="int",
        share="float",
    ),
    _rule(
        "node-cpu-unaccounted",
        "measured",
        "CPU of the node that no pod explains",
        "story 002 JW Player",
        cores="float",
        share="float",
        nodes="int: nodes like this",
    ),
    _rule(
        "node-cpu-hot",
        "measured",
        "The node's CPU is used up",
        "story 002 Moonlight",
        share="float",
        top="str: owner that uses most",
        top_cores="float",
        top_no_limit="bool",
    ),
    _rule(
        "node-memory-hot",
        "measured",
        "The node's memory is used up",
        "stories 000 and 004",
        share="float",
        top="str",
        top_bytes="int",
        top_no_limit="bool",
    ),
    _rule(
        "memory-growing",
        "measured",
        "Pods of one owner grow on every node",
        "story 000",
        owner="str",
        bytes_per_minute="int",
        pods="int",
        nodes="int",
    ),
    _rule(
        "memory-near-limit",
        "measured",
        "A container uses over 90 % of its memory limit",
        "metrics",
        share="float",
        role="str",
    ),
    _rule(
        "dns-load-high",
        "measured",
        "DNS answers mostly NXDOMAIN, or many times more than usual (search path, ndots)",
        "story 003 #3",
        qps="float",
        nxdomain="float",
        servfail="float",
    ),
    _rule(
        "dns-slow",
        "measured",
        "DNS answers are slow",
        "coredns_dns_request_duration_seconds",
        p99_seconds="float",
        over_4s="float: share over four seconds",
    ),
    _rule(
        "proxy-rules-behind",
        "measured",
        "kube-proxy of a node does not keep its rules up to date, although its pod runs",
        "kube-proxy metrics and health page (pkg/proxy)",
        cause="str: stale, failing, slow or silent",
        seconds="int: how long a change waits",
        failures="int or None: writes that failed",
        pending="int or None: endpoint changes",
        peers="int: kube-proxies that are up to date",
        nodes="int: nodes like this",
    ),
    _rule(
        "log-silence",
        "measured",
        "One pod of a DaemonSet is silent (no lines, no CPU, no traffic) while its peers work",
        "story 002 PrometheusKube",
        node="str",
        role="str",
        peers="int",
        log_lines="int or None",
        idle="bool",
    ),
    _rule(
        "api-slow",
        "measured",
        "Requests to the API server take over a second, or end in errors",
        "apiserver_request_duration_seconds",
        p99_seconds="float",
        errors="float",
        etcd_p99_seconds="float",
    ),
    _rule(
        "ready-check-failed",
        "measured",
        "A check of /readyz fails",
        "kube-apiserver healthz",
        checks="tuple",
        etcd="bool",
    ),
)

FINDINGS: Mapping[str, Rule] = MappingProxyType({rule.id: rule for rule in _FINDINGS})
"""Rules of findings by id."""

_CREATED = {"created": "bool: created, not edited"}

EFFECTS = frozenset(
    {
        "pod-not-ready",
        "pod-stuck-terminating",
        "pod-container-lost",
        "pod-restarted",
        "pod-not-starting",
        "pod-evicted",
        "pod-rejected-by-kubelet",
        "pod-crash-looping",
        "pod-oom-killed",
        "pod-liveness-killed",
        "workload-unavailable",
        "workload-degraded",
        "service-no-endpoints",
    }
)
"""Rules that follow from many causes, and may have had another one before."""
USUAL = frozenset({"node-version-outlier", "node-pods-full", "pdb-blocking", "daemonset-short"})
"""Rules that healthy clusters meet as well."""

_CHANGES: tuple[Rule, ...] = (
    _rule(
        "rollout",
        "change",
        "A new revision of a Deployment, DaemonSet or StatefulSet",
        "",
        image_from="str",
        image_to="str",
        images="bool: images differ",
        owner_kind="str",
        role="str",
        revision="str",
        env="tuple: names of variables written",
    ),
    _rule(
        "image-drift",
        "change",
        "A pod of a DaemonSet came up with another digest than its peers",
        "",
        node="str",
        image="str",
    ),
    _rule(
        "node-joined",
        "change",
        "A node joined",
        "",
        kubelet="str",
        zone="str",
        pool="str",
        version_differs="bool",
    ),
    _rule(
        "node-version",
        "change",
        "A node's kubelet, kernel, OS image or runtime version changed",
        "",
        field="str",
        before="str",
        after="str",
    ),
    _rule("node-rebooted", "change", "A node came up with another boot id", "", boot_id="str"),
    _rule(
        "node-cordoned",
        "change",
        "A node was cordoned or drained",
        "",
        unschedulable="bool",
        drained="bool: only DaemonSets and static pods are left",
    ),
    _rule("node-left", "change", "A node was removed", ""),
    _rule(
        "secret-written",
        "change",
        "A Secret's keys were written (names only)",
        "",
        keys="int: keys now",
        lost="tuple: keys lost, where seen",
        emptied="bool: no key is left",
    ),
    _rule(
        "secrets-written-together",
        "change",
        "Several Secrets were written by one manager within five minutes",
        "",
        secrets="int",
        namespaces="int",
        emptied="int: left without keys",
    ),
    _rule("secret-deleted", "change", "A Secret was deleted while watched", ""),
    _rule(
        "configmap-written",
        "change",
        "A ConfigMap's keys were written (names only)",
        "",
        keys="int",
        lost="tuple",
    ),
    _rule(
        "policy-edited", "change", "A NetworkPolicy was created, edited or deleted", "", **_CREATED
    ),
    _rule(
        "webhook-edited",
        "change",
        "An admission webhook configuration was created or edited",
        "",
        mutating="bool",
        **_CREATED,
    ),
    _rule(
        "crd-edited", "change", "A custom resource definition was created or edited", "", **_CREATED
    ),
    _rule(
        "rbac-edited",
        "change",
        "A ClusterRole or ClusterRoleBinding was created or edited",
        "",
        **_CREATED,
    ),
    _rule("ingress-edited", "change", "An Ingress was created or edited", **_CREATED),
    _rule(
        "service-edited", "change", "A Service was created or edited", "", type="str", **_CREATED
    ),
    _rule(
        "scaled",
        "change",
        "A workload's replicas were changed",
        "",
        replicas_from="int or None",
        replicas_to="int or None",
        down="bool",
        owner_kind="str",
    ),
    _rule(
        "workload-edited",
        "change",
        "A workload's spec was written by a manager",
        "",
        owner_kind="str",
        env="tuple: names of variables written",
        resources="bool: requests or limits were written",
        role="str",
    ),
    _rule(
        "helm-release",
        "change",
        "A Helm release was installed, upgraded or rolled back",
        "",
        release="str",
        version="str",
        status="str",
    ),
    _rule("cronjob-edited", "change", "A CronJob was created or edited", **_CREATED),
    _rule(
        "autoscaler-edited",
        "change",
        "A HorizontalPodAutoscaler was created or edited",
        "",
        **_CREATED,
    ),
    _rule("workload-created", "change", "A workload was created", "", owner_kind="str", role="str"),
    _rule(
        "workload-deleted", "change", "A workload was deleted while watched", "", owner_kind="str"
    ),
)

CHANGES: Mapping[str, Rule] = MappingProxyType({rule.id: rule for rule in _CHANGES})
"""Rules of changes by id."""

COHORTS: Mapping[str, str] = MappingProxyType(
    {
        "node": "str: node name",
        "zone": "str",
        "instance type": "str",
        "node pool": "str",
        "architecture": "str",
        "kubelet version": "str",
        "kernel version": "str",
        "os image": "str",
        "container runtime": "str",
        "node created after": "RFC 3339: node joined at that time or later",
        "created after": "RFC 3339: object created at that time or later",
        "owner": "Kind/name in namespace, as `Deployment shop/cart`; for nodes: runs on the node",
        "namespace": "str",
        "image": "str",
        "image digest": "str",
        "service account": "namespace/name",
        "priority class": "str",
        "storage class": "str",
        "volume driver": "str: CSI driver",
    }
)
"""Attributes that failing objects may share: `SharedAttribute.what` and what its value is."""
