"""Findings about controllers of pods: Deployments, Jobs, autoscalers and their like."""

from __future__ import annotations

from triage.facts.rules.rule import table

RULES = table("""
pod-failed (pod): A bare pod ended with an error and stays so (info)
    source: terminated.exitCode of a pod without a controller
    exit_code: int
    reason: str
helm-release-pending (cluster): The newest revision of a Helm release stays pending
    source: labels of Helm's Secrets; helm pkg/action, errPending
    release: str
    status: str: pending-install, pending-upgrade or pending-rollback
    revision: int
trouble-over (cluster): A pod or a controller was in trouble within the hour, and is well now (info)
    source: Warning events; condition Ready
    reason: str: of the last event
    until: str: when it ended, RFC 3339
workload-unavailable (workload): No replica is ready
    source: status.readyReplicas
    ready: int
    desired: int
    role: str
    single: bool: one replica wanted
workload-degraded (workload): Fewer replicas are ready than wanted, and no rollout explains it
    source: status.readyReplicas
    ready: int
    desired: int
    role: str
generation-not-observed (workload): A change that the workload's controller has not acted on
    source: kubernetes-mixin KubeDeploymentGenerationMismatch
    generation: int
    observed: int
    manager: str: who wrote it
governing-service-missing (workload): A StatefulSet's headless Service does not exist (info)
    source: spec.serviceName
    service: str
rollout-stuck (workload): A rollout made no progress within its deadline
    source: Progressing=False ProgressDeadlineExceeded
    image: str: of the new revision
    paused: bool
rollout-paused (workload): A rollout is paused half-way, pods of two revisions serve
    source: spec.paused
    updated: int
    desired: int
statefulset-waits (workload): A StatefulSet makes or updates no pod until one of its pods is ready
    source: OrderedReady
    pod: str
    missing: int: pods that are not made
    updating: bool
workload-scaled-to-zero (workload): A workload to which no Service leads was scaled to 0 by a person
        or a release within a day (info)
    source: managedFields of spec.replicas, else the events of its controller
    scaled_by: str: the manager that wrote its replicas
drain-blocked (workload): A disruption budget holds the drain of a node
    source: status.disruptionsAllowed of a budget with pods on a cordoned node
    node: str
    healthy: int
    desired: int
job-retrying (workload): Pods of a Job fail, and it has not given up (info)
    source: status.failed
    failed: int
    limit: int
create-failed (workload): A controller cannot create pods
    source: FailedCreate, ReplicaFailure
    cause: str: quota, quota-unset, limits, pod-security, webhook, policy, service-account, rbac,
        terminating, priority-class, runtime-class, invalid, etcd, forbidden or other
    detail: str: name of the quota, webhook, policy, account or class
replicas-on-one-node (workload): All ready replicas of a workload are on one node although others
        could take them
    source: story 000; OpenShift HighlyAvailableWorkloadIncorrectlySpread
    replicas: int
    node: str
    preferred: bool: anti-affinity preferred only
    spread: bool: soft topology spread
    given_up: bool: such a rule yielded within a day, though another node was there
    other_nodes: int: nodes beside it that the template allows
    free_nodes: int: those that would take a pod now (capacity aside)
    services: tuple: Services that die with the node
replicas-in-one-zone (workload): All ready replicas are in one zone (info)
    source: topology.kubernetes.io/zone
    replicas: int
    zone: str
rollout-not-graceful (workload): A workload behind a Service was rolled out lately without anything
        that lets connections drain (info)
    source: story 003: 502s while pods shut down
    pre_stop: bool
    readiness: bool
    grace_seconds: int
    at: str: RFC 3339
    restarting: bool: still rolling
    ingress: bool: an Ingress leads to it
    cut: int: pods on their way out whose probes were refused
stateful-on-emptydir (workload): A stateful workload that keeps its data in emptyDir was edited or
        restarted: what it held is gone
    source: story 002 Flant
    edited_by: str
    edited_at: str: RFC 3339 or empty
    restarted: int: pods created since the edit
    pods: int
    rolling: bool
daemonset-image-drift (workload): Pods of one DaemonSet and one revision run different images under
        one image name
    source: story 000: CNI image tagged latest
    container: str
    image: str
    digests: int
    odd_nodes: tuple: nodes with the rarer digest
    odd: int
    usual: int
    floating: bool: no tag, latest or pull policy Always
    odd_is_newest: bool: the odd nodes are the youngest, or rebooted last
    role: str: cni, proxy, …
    network: bool: role is cni or proxy, or a privileged system agent on the host network
    odd_digest: str: digest (or image, when the names differ)
    usual_digest: str
    pinned_image: str: the image name with the digest that most nodes run, "" when it is not known
    skew: bool: the image names differ, an update has stopped half-way
daemonset-update-failing (workload): Pods of the newest revision of a DaemonSet fail while those of
        the revision before work
    source: story 003 #6: a change that is rolled out takes node after node
    revision: str
    image: str: what the new revision runs
    failing: int: failing pods of it
    updated: int: pods of it
    old: int: pods of other revisions
    old_failing: int
    role: str: cni, proxy, …
    nodes: tuple: nodes on which it fails
daemonset-short (workload): Fewer pods of a DaemonSet are ready than nodes want it
    source: status.numberReady
    ready: int
    desired: int
    role: str
    nodes: tuple: nodes without a ready one
    why: str: taint, selector, room, not-made or empty (its pods say why)
job-suspended (workload): A Job is suspended (info)
    source: Job condition Suspended
    queue: str: the queue that admits it, empty for none
job-failed (workload): A Job gave up and no later run succeeded
    source: Job condition Failed
    reason: str: BackoffLimitExceeded or DeadlineExceeded
    cronjob: str
cronjob-flood (workload): A CronJob starts Jobs faster than they end
    source: story 003 #2
    jobs: int: active
    pods: int: not finished
    policy: str: concurrencyPolicy, Allow when absent
    oldest_seconds: int
    deadline: bool: activeDeadlineSeconds is set
cronjob-missed (workload): A CronJob misses its schedule
    source: TooManyMissedTimes, FailedCreate, UnparseableSchedule; lastScheduleTime
    reason: str: of the event, or Suspended, Forbid or Late
hpa-maxed (workload): An autoscaler wants more than its maximum
    source: ScalingLimited=True TooManyReplicas
    current: int
    maximum: int
hpa-cannot-scale (workload): An autoscaler cannot read its metrics or reach its target
    source: ScalingActive or AbleToScale False
    reason: str
pdb-blocking (workload): A disruption budget allows no eviction because pods are not healthy
    source: status.disruptionsAllowed
    healthy: int
    desired: int
endpoints-not-updated (service): The endpoints of a Service cannot be updated
    source: FailedToUpdateEndpoint, FailedToUpdateEndpointSlices
    count: int
quota-exceeded (workload): A quota refuses new objects
    source: exceeded quota
    quota: str
    resource: str
    used: str
    hard: str
""")
