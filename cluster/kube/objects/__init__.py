"""Kubernetes objects as the product reads them: typed, frozen, and only the fields that are used.

One file for each API group or two; callers import from here, so that a new type is written once.

Typed msgspec Structs decode at over 1 GB/s, dictionaries at a tenth of that, so fields that nothing
reads are not named: they are skipped on the wire. Names are the API's own in snake case. A missing
field has its zero value. `null` where a list or an object is expected is repaired by
`cluster.kube.decode`, never an error. Objects of kinds with metadata only (Secret, ConfigMap and
the kinds watched just for "what changed") are `PartialObject`.
"""

from __future__ import annotations

from cluster.kube.objects.apps import *
from cluster.kube.objects.batch import *
from cluster.kube.objects.certificates import *
from cluster.kube.objects.core import *
from cluster.kube.objects.gateway import *
from cluster.kube.objects.meta import *
from cluster.kube.objects.networking import *
from cluster.kube.objects.pods import *
from cluster.kube.objects.policy import *
from cluster.kube.objects.storage import *
