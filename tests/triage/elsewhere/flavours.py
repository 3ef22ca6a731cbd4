"""Eight distributions of Kubernetes."""

from __future__ import annotations

from tests.triage.elsewhere.clouds import aks, eks, gke, kops
from tests.triage.elsewhere.machines import k3s, kubeadm, openshift, rke2
from tests.triage.elsewhere.parts import daemon

__all__ = ["aks", "daemon", "eks", "gke", "k3s", "kops", "kubeadm", "openshift", "rke2"]
