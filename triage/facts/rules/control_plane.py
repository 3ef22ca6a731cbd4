"""Findings about the control plane, the cluster's own services and deletions."""

from __future__ import annotations

from triage.facts.rules.rule import table

RULES = table("""
dns-lookups-failing (cluster): Messages of several owners report failing or slow name look-ups
    source: story 003 #3
    owners: int
    namespaces: int
    kind: str: timeout or not-found
dns-degraded (workload): The cluster's DNS servers are down, restarting or killed for memory
    source: story 003 #3
    ready: int
    total: int
    oom_killed: int: pods killed for memory within the hour
    restarted: int: pods restarted within the hour
    limit: str: memory limit
    crash_looping: int
service-names-unresolved (cluster): Several workloads do not find the names of several Services that
        exist
    source: Kubernetes, DNS for Services and Pods
    owners: int
    services: tuple: namespace/name of the Services
    dns_degraded: bool: the cluster's DNS servers show a fault of their own
mesh-degraded (workload): The control plane of a service mesh is down, and sidecars wait for it
    source: istio pilot-agent readiness; linkerd2-proxy identity
    mesh: str: Istio, Linkerd, Consul or Kuma
    owners: int: workloads whose sidecars are not ready
    pods: int
dns-single (workload): DNS runs as one replica (info)
    source: story 003: single kube-dns pod
    replicas: int
ingress-degraded (workload): Pods of the ingress controller are down, restarting or killed for
        memory
    source: story 003 #1
    ready: int
    total: int
    oom_killed: int
    restarted: int
    limit: str
    hosts: int: Ingress hosts served
    within_seconds: int: between the restarts
    backends_ready: bool: Services behind the Ingresses have ready endpoints
    by_itself: bool: containers ended, or pods are not ready whose node is
    ingress_selector: str: labels by which the workload selects its pods
control-plane-degraded (cluster): A control plane component is down, restarting or killed for memory
    source: story 003 #2, #5
    component: str: kube-apiserver, etcd, kube-controller-manager or kube-scheduler
    ready: int
    total: int
    oom_killed: int
    restarted: int
    unhealthy: int: failed probes within half an hour
    burstable: bool: control plane nodes of a burstable instance type (t2, t3, t4g, B)
etcd-errors-in-messages (cluster): Messages of controllers and events report etcd time-outs or
        leader changes
    source: story 003 #5
    count: int
    objects: int
    kind: str: timeout, leader-changed, no-space or other
leader-changes (cluster): Control plane components lost and took their leader Lease again and again
    source: LeaderElection events
    count: int
    components: tuple
api-server-unreachable (cluster): Nothing is heard from the API server: all that is shown is old
    source: freshness of every kind
    kinds: int
    since: str: RFC 3339
    answer: str: refused (its host refuses the connection), front (a load balancer, a login page
        or a proxy answers in its place) or none, which may lie on this side
api-errors-in-messages (cluster): Controllers and kubelets report that the API server does not
        answer, or refuses for the number of requests
    source: events and conditions
    count: int
    objects: int
    refused: int: messages that tell HTTP 429, where most of them do
component-away (cluster): A control plane component does not renew its Lease while others do
    source: Leases of kube-system, client-go leaderelection
    component: str: kube-scheduler, kube-controller-manager or cloud-controller-manager
    holder: str
    seconds: int
apiservice-unavailable (cluster): An aggregated API is not available
    source: APIService condition Available; kube-aggregator available_controller.go
    group: str
    reason: str: of the condition
    service: str: namespace/name of its backend
    backend: str: missing, no-endpoint or ready
    blind: tuple: what does not work without it
crd-not-served (cluster): A CustomResourceDefinition is not served: its names are not
        accepted, or it is not established
    source: apiextensions-apiserver pkg/controller/status/naming_controller.go
    kind: str: the kind that it defines
    condition: str
    reason: str: of the condition
crd-conversion-away (cluster): The conversion webhook of a CustomResourceDefinition has no ready
        backend
    source: CustomResourceDefinition spec.conversion.webhook
    kind: str: the kind that it defines
    service: str: namespace/name of its backend
    backend: str: missing or no-endpoint
deletion-stuck (cluster): An object is not deleted for minutes, since its finalizer stays
    source: metadata.deletionTimestamp, metadata.finalizers
    finalizer: str: the first that stays
    finalizers: tuple
namespace-stuck (cluster): A namespace is being deleted for longer than ten minutes, and its
        conditions say why
    source: kubernetes pkg/controller/namespace/deletion/status_condition_utils.go
    cause: str: finalizers, discovery, content or other
    finalizer: str: the finalizer that remains, if one is named
    api: str: the API group whose discovery fails, if one is named
""")
