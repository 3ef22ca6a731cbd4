"""Findings about nodes, one by one and together."""

from __future__ import annotations

from triage.facts.rules.rule import table

RULES = table("""
node-not-ready (node): Ready is False or Unknown
    source: node lifecycle controller; kubelet setters.go
    status: str: False or Unknown
    cause: str: runtime-down, pleg, network-plugin, shutting-down, kubelet-silent, never-reported or
        other (the first that applies)
    causes: tuple: all that apply
    reason: str: reason of the condition
    cordoned: bool
    maintained: bool: cordoned in the hour before, and down for less than ten minutes
    lease_fresh: bool or None: the node's Lease was renewed within 40 s (None: no Lease seen)
node-pressure (node): MemoryPressure, DiskPressure or PIDPressure is True (Unknown is not pressure)
    source: kubelet eviction manager
    pressure: str: memory, disk or pid
node-network-unavailable (node): NetworkUnavailable is True: the network of the node was not set up
    source: cloud node controller
node-problem (node): A problem condition of node-problem-detector or its like is True, or it
        reported an event
    source: node-problem-detector config/*.json
    type: str: condition type or event reason
    reason: str
node-event-announced (node): The provider announced that it will preempt, reboot, freeze, redeploy
        or stop the node
    source: VMEventScheduled and its like; aws-node-termination-handler; instance metadata of clouds
    event: str: preempt, reboot, redeploy, freeze, terminate or other
    at: str: when, as the provider says
probes-time-out-on-node (node): Probes of at least three owners time out on one node: the node is
        slow or cut off
    source: kubelet Unhealthy events
    owners: int
    pods: int
    killed: int: pods that were restarted for it
node-system-oom (node): The kernel ran out of memory on the node (SystemOOM of the kubelet,
        OOMKilling of node-problem-detector)
    source: kubelet oom_watcher_linux.go; story 004
    count: int: times seen
    victims: tuple: process names killed
    victim_runtime: bool: a container runtime was killed (dockerd, containerd, crio)
    victim_kubelet: bool: the kubelet was killed
    no_limit_owners: tuple: owners with containers without a memory limit on this node
    recovered: bool: the node is Ready now
node-eviction-threshold (node): The kubelet reclaims a resource by evicting pods
        (EvictionThresholdMet)
    source: eviction_manager.go
    resource: str: memory, ephemeral-storage, inodes, pids
    count: int
node-disk-reclaim-failed (node): Image garbage collection or freeing disk space failed on the node
    source: kubelet events
    count: int
    no_image_left: bool: too few images are left that nothing uses: files and logs fill the disk
node-rebooted (node): The node was rebooted (event Rebooted or its bootID changed)
    source: kubelet setters.go; story 002 Moonlight
    planned: bool: it was cordoned then, or its versions changed with the reboot
    boot_id: str
node-flapping (node): Ready changed at least three times within an hour
    source: kubernetes-mixin KubeNodeReadinessFlapping
    transitions: int
node-recovered (node): The node was not ready within the last half hour and is Ready again (info)
    source: NodeNotReady and NodeReady events
    down_seconds: int or None
node-lease-stale (node): The node's Lease has not been renewed for over 40 s
    source: node lease, KEP-9
    seconds: int
    ready: str: status of Ready
node-cordoned (node): The node is marked unschedulable (info by itself)
    source: spec.unschedulable
    by: str: field manager, or empty
node-pods-full (node): At least 95 % of the pods that the node may run are there
    source: kubernetes-mixin KubeletTooManyPods
    pods: int
    capacity: int
node-version-outlier (node): The kubelet version differs from most nodes
    source: story 003 #6
    majority: str
    skew_minor: int: minor versions apart, newer is positive
    count: int: nodes with this version
node-kernel-cfs-bug (node): Kernel older than 4.19 with containers that have a CPU limit: throttled
        below it (info)
    source: story 002 Buffer; kubernetes issue 67577
    kernel: str
    containers: int: with a CPU limit
restarts-together-on-node (node): Containers of at least three owners ended on one node within two
        minutes, not at their own limit
    source: story 000: the runtime crashed
    owners: int
    containers: int
    exit_codes: tuple: as strings
    own_limit: int: ended OOMKilled at their own limit
    rebooted: bool; None: no event of that time is left to tell
nodes-unknown-together (cluster): Many nodes of several pools stopped reporting within 90 s: suspect
        the control plane
    source: story 003 #5; node lifecycle
    nodes: int
    total: int
    within_seconds: int
    pools: int
    recovered: int: Ready again now
    all: bool: every node
    bursts: int: how often within the hour
    burstable: bool: control plane nodes of a burstable type
leases-stale-together (cluster): At least half of the node Leases are stale at once
    source: story 003 #5
    nodes: int
    total: int
nodes-failing-in-turn (cluster): Nodes fail one after another
    source: stories 002 Moonlight and 004
    nodes: int
    span_seconds: int
    suspect: str: owner that was on every failed node
    suspect_on: int: failed nodes it was on
    suspect_elsewhere: int: healthy nodes it is on
    suspect_no_limits: bool: no memory limit (no CPU limit where nodes reboot)
    victims: tuple: processes killed on them
    victim_runtime: bool
    victim_kubelet: bool
    suspect_arrived: int: failed nodes that it came to within the hour before
    oom: int: nodes with a system OOM
    reboots: int: nodes rebooted
    owners_tried: int: owners compared
""")
