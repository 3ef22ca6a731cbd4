"""Findings about Services, load balancers, routes and exposed workloads."""

from __future__ import annotations

from triage.facts.rules.rule import table

RULES = table("""
service-no-endpoints (service): A Service with a selector has no ready endpoint
    source: EndpointSlice
    pods: int: matched by the selector
    not_ready: int
    type: str
    selector_matches: bool
    role: str
    hosts: tuple: Ingress hosts behind it
    nearest: str: labels of the pods that nearly match the selector
    scaled_to_zero: str: the workload behind it whose replicas are 0
    scaled_by: str: the manager that wrote its replicas
    scaled_automatically: bool: an autoscaler or a schedule did
    scaled_hour: str: day and hour of that write
service-port-mismatch (service): A port of a Service leads to a port that no container behind it has
    source: spec.ports against the ports of containers
    port: int
    target: str
    declared: tuple: ports of the containers
certificate-failing (service): A Certificate of cert-manager is not issued, is not renewed or has
        expired
    source: cert-manager, internal/controller/certificates/policies; status of Certificates
    state: str: expired, not-issued, renewal-fails or renewal-late
    cause: str: issuer-missing, issuer-not-ready, challenge, failed or other
    reason: str: reason of the condition that says why
    secret: str: the Secret that it writes
    issuer: str
    used_by: tuple: Ingresses, Gateways, webhooks and pods' owners that name the Secret
issuer-not-ready (service): An Issuer or ClusterIssuer of cert-manager is not ready
    source: cert-manager, conditions of issuers
    reason: str: reason of the condition
    certificates: int: Certificates that name it
service-reference-wrong (workload): An environment variable names a Service or port that does not
        exist
    source: spec.template env; Kubernetes, DNS for Services and Pods
    variable: str
    container: str
    service: str: namespace/name of the Service that is meant
    port: int: the port that the Service does not have, else 0
    standing: str: no-service or no-port
    certain: bool: it is meant for this cluster, and no default that may be unused
    quota: str: the quota that may have refused that Service
service-isolated (service): Policies written lately let nothing in to its pods, or nothing out; also
        of a workload without a Service
    source: NetworkPolicy spec
    policy: str: the newest of them
    inward: bool: nothing may reach its pods
    outward: bool: its pods may reach nothing
    others: bool: the cluster has policies of another API, which may allow it
    new: bool: written within two hours, and after the object was made; what stands for longer
        hurts somebody or is meant so
external-name-missing (service): An ExternalName names a Service that does not exist
    source: spec.externalName
    target: str: namespace/name
ingress-host-twice (service): Two Ingresses lead one host and path to different Services
    source: spec.rules
    host: str
    path: str
load-balancer-failed (service): The cloud load balancer of a Service cannot be synchronised
    source: service controller: SyncLoadBalancerFailed, …
    reason: str
    count: int
    address: bool: it has an address
load-balancer-churn (service): The load balancer's backends are rewritten again and again
    source: UpdatedLoadBalancer; story 001
    count: int
    seconds: int: over
load-balancer-pending (service): A Service of type LoadBalancer has no address
    source: status.loadBalancer
    seconds: int
    controller: str: what may give it one, empty where nothing does
    asked: bool: a controller is at work on it
load-balancer-local-few (service): externalTrafficPolicy Local with endpoints on few nodes: the
        others fail the balancer's check by design (info)
    source: story 001
    nodes: int
    total: int
ingress-backend-missing (service): An Ingress or route leads to a Service or port that does not
        exist
    source: Ingress; HTTPRoute
    service: str
    port: str: the port that the Service does not have, empty when the Service does not exist
    hosts: tuple
ingress-class-missing (service): An Ingress names a class that does not exist, or none where no
        class is the default
    source: Kubernetes, Ingress class
    class: str: empty where none is named
    known: tuple: the classes that exist
route-not-accepted (service): No listener of its Gateway takes a route
    source: Gateway API, RouteConditionReason
    gateway: str: namespace/name
    reason: str: of the condition, GatewayMissing or ListenerMissing
gateway-not-working (service): A Gateway is not accepted or programmed
    source: Gateway API, GatewayConditionReason
    class: str
    reason: str: of the condition, ClassMissing or ClassNotAccepted
ingress-tls-missing (service): An Ingress or Gateway names a TLS Secret that does not exist
    source: Ingress; Gateway
    secret: str
webhook-backend-down (cluster): An admission webhook with failurePolicy Fail has no ready backend:
        it blocks writes
    source: Jetstack story
    webhook: str
    service: str
    timeout: int: seconds
    mutating: bool
exposed-privileged-workload (service): A public Service leads to pods with power over their node
    source: story 002 JW Player
    privileged: bool
    host_pid: bool
    host_network: bool
    host_paths: tuple
    type: str: LoadBalancer, NodePort or Ingress
    address: str
    source_ranges: bool
    public: bool: a balancer that is neither internal nor limited to ranges
    agents: int: sibling pods with power over nodes
    stranger: str: first object created afterwards by a field manager that had written nothing
        before
    stranger_by: str: its field manager
dependency-failing (service): A Service fails several workloads, or one for want of ready pods or
        connections
    source: the last words of its callers
    class: str: of triage.logs.sentences.CLASSES
    callers: tuple: names of workloads
    count: int: workloads
    standing: str: of triage.facts.addresses.Standing
    port: int
""")
