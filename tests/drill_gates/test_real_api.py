"""The same data on a real API server gives the same answers: another server, another encoding,
defaults and lists of its own.

Ten drills run always, one for each way in which a story shows itself; STANCH_ALL_DRILLS=1 runs all
28 (about four minutes).
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cli.documents import triage_document
from tests.drill_gates.expected import DRILLS, SILENT, shared_by
from tests.drill_gates.ground import NOW, stated
from tests.drill_gates.real import loaded, triage

SOME = (
    "cluster-upgrade-breaks-cluster",  # versions and ages of nodes
    "coredns-oom",  # lastState
    "cronjob-pod-flood",  # owners, quotas
    "cryptomining-exposed-dashboard",  # Services and what is privileged
    "etcd-data-deleted",  # creation times
    "etcd-connectivity-api-latency",  # leases and conditions
    "log-shipper-stalled-on-node",  # nothing
    "network-policy-cni-version-skew",  # image digests
    "secrets-emptied-by-controller",  # managedFields
    "volume-attach-stuck",  # attachments
)


@pytest.mark.control_plane
@pytest.mark.parametrize("name", DRILLS if os.environ.get("STANCH_ALL_DRILLS") == "1" else SOME)
def test_a_real_api_server_is_told_the_same(name: str, tmp_path: Path) -> None:
    with loaded(name) as cluster:
        document = json.loads(json.dumps(triage_document(triage(cluster.kubeconfig, tmp_path))))
    assert document["complete"], document["unavailable"]
    found = document["runbooks"]
    confident = [row["id"] for row in found if row["confident"] and not row["guide"]]
    assert confident == stated(name).confident
    warnings = [one["severity"] != "info" for one in document["symptoms"]].count(True)
    assert warnings == len(stated(name).warnings)
    if name in SILENT or not confident:  # only a kubelet tells what fills a disk
        return
    assert found[0]["id"] == name
    told = shared_by(name, NOW)
    if told is not None and told[0] != "created after":  # a moment, and the drill began just now
        shared = [
            (one["what"], one["value"])
            for symptom in document["symptoms"]
            for one in symptom["shared"]
        ]
        assert told in shared
