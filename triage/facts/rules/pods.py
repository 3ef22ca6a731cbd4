"""Findings about pods and their containers."""

from __future__ import annotations

from triage.facts.rules.rule import table

RULES = table("""
sandboxes-recreated-on-node (node): SandboxChanged for pods of at least three owners on one node:
        runtime restart or reboot
    source: kubelet kuberuntime_manager
    pods: int
    owners: int
    rebooted: bool
pods-stuck-on-node (node): Pods of several owners do not start or do not end on one node, while
        other nodes work
    source: story 003: runtime hung
    creating: int
    terminating: int
    owners: int
    node_ready: bool
failures-on-new-nodes (cluster): Failing nodes or pods are on nodes that joined or changed version
        lately, the older nodes are fine
    source: story 003 #6
    nodes: int: failing new nodes
    new_total: int
    version: str: their kubelet version
    version_differs: bool
    by: str: creation, kubelet version or os image
pod-unschedulable (pod): The scheduler finds no node
    source: kube-scheduler FitError
    cause: str: insufficient-memory, insufficient-cpu, insufficient-pods, insufficient-storage,
        insufficient-other, taint, node-not-ready, affinity, anti-affinity, topology-spread,
        volume-affinity, volume-count, volume-unbound, volume-binding, claim-missing,
        resource-claim, host-port, cordoned, no-nodes, provisioning, provider, nodepool, no-machine,
        gated, queued or other; the one that most nodes give
    causes: tuple: all, most frequent first
    nodes: int: nodes looked at
    detail: str: the word that decides: the resource, the key of the taint, the claim, the selector
    quota: str: the quota that may have refused the claim that is missing
    asked: str: that quota, or what it asks for beside the largest node, where that is too small,
        else empty
pod-not-scheduled (pod): Pending and no scheduler has reported on it
    source: kube-scheduler down
    seconds: int
pod-evicted (pod): The kubelet evicted the pod
    source: eviction/helpers.go
    resource: str: memory, ephemeral-storage, pids, inodes, … or empty
    own_limit: bool: it exceeded a limit of its own, the node was not short
    ended: str: RFC 3339
pod-rejected-by-kubelet (pod): Refused by the kubelet after scheduling; controllers keep creating
        more
    source: kubelet lifecycle/predicate.go
    reason: str: OutOfpods, …
pod-ended-by-kubelet (pod): Ended or turned away as its node shuts down, for a critical pod or at
        its deadline (info)
    source: kubelet nodeshutdown, preemption, active_deadline
    reason: str: Terminated, NodeShutdown, Shutdown, Preempting or DeadlineExceeded
pod-preempted (pod): Pods of a workload were removed for a pod of higher priority; about the
        workload, because they are gone
    source: scheduler preemption
    by: str: namespace/name of the workload that took their room, empty when it is not known
    waiting: int: replacements that wait for a node
pod-crash-looping (pod): A container restarts again and again
    source: CrashLoopBackOff; also while it runs between two crashes
    container: str
    init: bool: an init container
    restarts: int
    exit_code: int or None
    reason: str: of the last end
    ran_seconds: int or None: how long it ran
    oom: bool
pod-oom-killed (pod): A container was killed at its own memory limit
    source: lastState.terminated of running containers too
    container: str
    limit: str
    restarts: int
    running_again: bool
pod-container-lost (pod): The runtime or the node lost the container (ContainerStatusUnknown, exit
        137 without OOM, 255): not an OOM of its own
    source: kubelet
    container: str
    exit_code: int
pod-restarted (pod): A container ended with an error lately and runs again
    source: lastState.terminated
    container: str
    exit_code: int
    reason: str
    restarts: int
pod-image-pull-failed (pod): The image cannot be pulled
    source: ErrImagePull, ImagePullBackOff, InvalidImageName, ErrImageNeverPull
    image: str
    cause: str: not-found, unauthorized, platform, rate-limited, timeout, dns, tls, refused,
        no-space, invalid-name, never-pulled or other
    registry: str
    pull_secret: str: the pull secret that the kubelet could not read and that is not there
pod-config-missing (pod): A Secret or ConfigMap, or a key in it, is not there
    source: kubelet_pods.go; FailedMount
    kind: str: Secret or ConfigMap
    name: str
    key: str: missing key, empty when the whole object is missing
    how: str: env or volume
    exists: bool or None: the object is there now (None: not readable)
pod-container-create-failed (pod): The container cannot be created or started
    source: CreateContainerError, RunContainerError, StartError
    reason: str: of the container's state or of the event
    container: str
    message: str: without what varies from pod to pod
pod-init-waiting (pod): An init container does not end, or a sidecar is never started: the pod waits
        for it
    source: status.initContainerStatuses; KEP-753
    container: str
    sidecar: bool
    probe: str: refused, timeout, status, dns, other or empty
    seconds: int
pod-half-ended (pod): A container ended for good while others of the pod run
    source: restartPolicy Never and OnFailure
    container: str
    exit_code: int
    policy: str
    running: tuple: containers that run
pod-resize-failed (pod): An in-place resize is infeasible, deferred or fails
    source: PodResizePending, PodResizeInProgress; KEP-1287
    reason: str: Infeasible, Deferred or Error
pod-sandbox-failed (pod): The pod's sandbox (network namespace) cannot be created
    source: FailedCreatePodSandBox, NetworkNotReady
    cause: str: ip-exhausted, cni-not-ready, timeout, name-reserved, runtime-down, memory-limit,
        no-space, image, runtime-class, cni or other
    said: str: the plugin's or the runtime's sentence
    limit: str: the memory limit of the pod, where it was killed for it
    agent_away: bool: the network plugin does not find its agent on the node
    new_node: bool or None: the node joined within the hour (None: not known)
pod-volume-failed (pod): A volume cannot be attached or mounted
    source: FailedAttachVolume, FailedMount
    cause: str: multi-attach, attach, attach-limit, mount, timeout or other
    why: str: in-use, pending, permission, missing, file-system, unreachable or empty
    volume: str
    driver: str: CSI driver or empty
    claim: str
pod-not-starting (pod): Containers are not created, and nothing says why
    source: PodReadyToStartContainers
    seconds: int
    pulls: str: the image that the kubelet is still pulling, else empty
pod-not-ready (pod): Running and not ready for longer than a start takes
    source: Ready condition
    seconds: int
    probe: str: refused, timeout, status, dns, protocol, port, exec, other, unseen (no event is
        left: the status tells that it does not pass) or empty
    probe_kind: str: readiness, liveness, startup or empty
    undeclared: bool: the probe asks a port that no container declares
    was_ready: bool: it had been ready before
pod-liveness-killed (pod): The liveness or startup probe restarts the container
    source: Killing, Unhealthy
    count: int
    probe: str: refused, timeout, status, dns, protocol, port, exec or other
    probe_kind: str: liveness or startup
    undeclared: bool: the probe asks a port that no container declares
pod-stuck-terminating (pod): Deleted, and still there two minutes after its grace period
    source: deletionTimestamp; FailedKillPod
    seconds: int
    node_ready: bool
    said: str: why the kubelet cannot end it, or empty
pulls-failing-on-node (node): Pulls of several owners fail on one node and on no other
    source: kubelet ErrImagePull
    pods: int
    owners: int
    differs: tuple: what this node has and no other one
not-ready-together (cluster): Pods of many owners in several namespaces became unready within two
        minutes, on several nodes
    source: story 003 #3
    owners: int
    namespaces: int
    nodes: int
pods-rejected-in-bulk (cluster): Many pods of one owner were rejected or evicted and created again
    source: OutOfpods loop
    owner: str
    pods: int
    reason: str
    evicted: bool: evicted after they ran, not refused
pod-last-words (pod): The sentence of its log or termination message that decides why a container
        fails
    source: Kubernetes, Determine the Reason for Pod Failure; the error texts of programs
    class: str: of triage.logs.sentences.CLASSES; empty when no sentence decides
    sentence: str
    container: str
    policed: bool: NetworkPolicies block what it cannot reach or look up
    exit_code: int or None
    host: str: that the sentence names
    port: int
    proven: bool: its words name what the class is about, not only that something failed
    by_api: bool: the Kubernetes API refused it, by RBAC
    no_dns: bool: no name server answered, for a name that may well exist
    no_answer: bool: no name server answered, for any name
    service: str: namespace/name of the Service that is meant
    standing: str: of triage.facts.addresses.Standing
""")
