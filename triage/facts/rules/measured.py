"""Findings from measurements, only where a source is there (`triage.facts.measurements`)."""

from __future__ import annotations

from triage.facts.rules.rule import table

RULES = table("""
cpu-throttled-below-limit (measured): Containers are throttled in over 25 % of periods while they
        use much less than their limit
    source: kubernetes-mixin CPUThrottlingHigh; story 002 Buffer
    ratio: float
    usage_of_limit: float
    kernel: str
    containers: int
cpu-throttled-at-limit (measured): A container is throttled because it uses all of its limit
    source: story 003 #8
    ratio: float
    usage_of_limit: float
kubelet-memory-high (measured): The kubelet uses more than 1 GiB, or more than four times what its
        peers use
    source: story 003 #7
    bytes: int
    peers: int: median of the others
    kubelet: str
    victims: int: nodes like this
node-memory-unaccounted (measured): Memory of the node that no pod, runtime or kubelet explains
    source: node - pods - system containers
    bytes: int
    share: float
node-cpu-unaccounted (measured): CPU of the node that no pod explains
    source: story 002 JW Player
    cores: float
    share: float
    nodes: int: nodes like this
node-cpu-hot (measured): The node's CPU is used up
    source: story 002 Moonlight
    share: float
    top: str: owner that uses most
    top_cores: float
    top_no_limit: bool
node-memory-hot (measured): The node's memory is used up
    source: stories 000 and 004
    share: float
    top: str
    top_bytes: int
    top_no_limit: bool
memory-growing (measured): Pods of one owner grow on every node
    source: story 000
    owner: str
    bytes_per_minute: int
    pods: int
    nodes: int
memory-near-limit (measured): A container uses over 90 % of its memory limit
    source: metrics
    share: float
    role: str
node-disk-used (measured): What holds most of the disk of a node that is short of it: logs, files of
        pods, images or something outside of them
    source: kubelet stats/summary (stats.k8s.io v1alpha1)
    largest: str: logs, files, images, inodes or other (at least a third of what is used)
    share: float: of what is used
    bytes: int
    top: str: the pod that holds most of it
    top_bytes: int
dns-load-high (measured): DNS answers mostly NXDOMAIN, or many times more than usual (search path,
        ndots)
    source: story 003 #3
    qps: float
    nxdomain: float
    servfail: float
dns-slow (measured): DNS answers are slow
    source: coredns_dns_request_duration_seconds
    p99_seconds: float
    over_4s: float: share over four seconds
proxy-rules-behind (measured): kube-proxy of a node does not keep its rules up to date, although its
        pod runs
    source: kube-proxy metrics and health page (pkg/proxy)
    cause: str: stale, failing, slow or silent
    seconds: int: how long a change waits
    failures: int or None: writes that failed
    pending: int or None: endpoint changes
    peers: int: kube-proxies that are up to date
    nodes: int: nodes like this
log-silence (measured): One pod of a DaemonSet is silent (no lines, no CPU, no traffic) while its
        peers work
    source: story 002 PrometheusKube
    node: str
    role: str
    peers: int
    log_lines: int or None
    idle: bool
api-slow (measured): Requests to the API server take over a second, or end in errors
    source: apiserver_request_duration_seconds
    p99_seconds: float
    errors: float
    etcd_p99_seconds: float
ready-check-failed (measured): A check of /readyz fails
    source: kube-apiserver healthz
    checks: tuple
    etcd: bool
""")
