"""Kinds of changes: what was edited before a symptom."""

from __future__ import annotations

from triage.facts.rules.rule import table

RULES = table("""
rollout (change): A new revision of a Deployment, DaemonSet or StatefulSet
    image_from: str
    image_to: str
    images: bool: images differ
    owner_kind: str
    role: str
    revision: str
    env: tuple: names of variables written
image-drift (change): A pod of a DaemonSet came up with another digest than its peers
    node: str
    image: str
node-joined (change): A node joined
    kubelet: str
    zone: str
    pool: str
    version_differs: bool
node-version (change): A node's kubelet, kernel, OS image or runtime version changed
    field: str
    before: str
    after: str
node-rebooted (change): A node came up with another boot id
    boot_id: str
node-cordoned (change): A node was cordoned or drained
    unschedulable: bool
    drained: bool: only DaemonSets and static pods are left
node-left (change): A node was removed
secret-written (change): A Secret's keys were written (names only)
    keys: int: keys now
    lost: tuple: keys lost, where seen
    emptied: bool: no key is left
secrets-written-together (change): Several Secrets were written by one manager within five minutes
    secrets: int
    namespaces: int
    emptied: int: left without keys
secret-deleted (change): A Secret was deleted while watched
configmap-written (change): A ConfigMap's keys were written (names only)
    keys: int
    lost: tuple
policy-edited (change): A NetworkPolicy was created, edited or deleted
    created: bool: created, not edited
webhook-edited (change): An admission webhook configuration was created or edited
    mutating: bool
    created: bool: created, not edited
crd-edited (change): A custom resource definition was created or edited
    created: bool: created, not edited
rbac-edited (change): A ClusterRole or ClusterRoleBinding was created or edited
    created: bool: created, not edited
ingress-edited (change): An Ingress was created or edited
    created: bool: created, not edited
service-edited (change): A Service was created or edited
    type: str
    created: bool: created, not edited
scaled (change): A workload's replicas were changed
    replicas_from: int or None
    replicas_to: int or None
    down: bool
    owner_kind: str
workload-edited (change): A workload's spec was written by a manager
    owner_kind: str
    env: tuple: names of variables written
    resources: bool: requests or limits were written
    role: str
helm-release (change): A Helm release was installed, upgraded or rolled back
    release: str
    version: str
    status: str
cronjob-edited (change): A CronJob was created or edited
    created: bool: created, not edited
autoscaler-edited (change): A HorizontalPodAutoscaler was created or edited
    created: bool: created, not edited
workload-created (change): A workload was created
    owner_kind: str
    role: str
workload-deleted (change): A workload was deleted while watched
    owner_kind: str
""")
