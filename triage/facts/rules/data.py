"""Findings about configuration, volumes and lost objects."""

from __future__ import annotations

from triage.facts.rules.rule import table

RULES = table("""
secret-missing-across-namespaces (cluster): Pods of at least three namespaces (or owners) wait for
        Secrets that do not exist: one supplier
    source: story 003 #8
    namespaces: int
    pods: int
    pattern: str: common name pattern such as *-credentials
    only_new: bool: every older pod is fine
    supplier: str: field manager of sibling Secrets
secret-keys-lost (cluster): Existing Secrets lost keys that pods need
    source: story 000: a controller emptied every Secret
    secrets: int
    namespaces: int
    manager: str: who wrote them last
    within_seconds: int: all written within
    pods: int
    seen: bool: keys were there before (own snapshot)
new-pods-failing (cluster): Pods created after a moment fail, all older ones are healthy
    source: story 000, story 003 #8
    owners: int
    namespaces: int
    failing: int
    new: int: pods created since
    at: str: RFC 3339
claim-pending (storage): A volume claim is not bound although a pod waits for it
    source: ProvisioningFailed
    storage_class: str
    reason: str
    cause: str: class-missing, no-class, no-volume, provisioner, provisioner-away, first-consumer or
        lost
claim-resize-pending (storage): A volume claim wants more than it has, and does not get it
    source: FileSystemResizePending, VolumeResizeFailed
    cause: str: failed, Resizing or FileSystemResizePending
    wanted: str
    size: str
volume-failed (storage): A persistent volume is in phase Failed
    source: status.phase
    reason: str
volume-attachment-failed (storage): A volume cannot be attached to or detached from a node
    source: VolumeAttachment
    operation: str: attach or detach
    driver: str
    node: str
    node_exists: bool
    node_ready: bool
    attached_elsewhere: str: other node that holds the volume
objects-vanished (cluster): The number of objects of several kinds fell by more than half within
        minutes
    source: story 003 #4
    kinds: tuple
    before: int
    after: int
owners-missing (cluster): Objects live on whose controllers are gone
    source: garbage collector has not acted
    objects: int
    owners: int
    kinds: tuple: kinds of the missing owners
    namespaces: int
references-dangling (cluster): Many references lead to objects that no longer exist
    source: HPA, Ingress, EndpointSlice, claims
    count: int
    kinds: tuple
    namespaces: int
system-namespaces-recreated (cluster): kube-system is younger than other objects: it was lost and
        recreated
    source: story 003 #4
    created: str: RFC 3339
    recent: bool: within a day
    older: int: objects older than it
system-workloads-missing (cluster): Nodes run, but kube-system holds no workload any more
    source: story 003 #4
    pods: int
""")
