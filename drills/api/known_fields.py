"""Field names of the kinds that people write by hand, for `fieldValidation=Strict`: a misplaced or
misspelt field is refused instead of dropped. From k8s.io/api v0.34; other kinds are not checked."""

from __future__ import annotations

from typing import Any

from drills.api.objects import Obj, words
from drills.api.problems import bad_request

_META = frozenset(
    words(
        "name generateName namespace selfLink uid resourceVersion generation creationTimestamp "
        "deletionTimestamp deletionGracePeriodSeconds labels annotations ownerReferences "
        "finalizers managedFields"
    )
)
_CONTAINER = frozenset(
    words(
        "name image command args workingDir ports envFrom env resources resizePolicy restartPolicy "
        "restartPolicyRules volumeMounts volumeDevices livenessProbe readinessProbe startupProbe "
        "lifecycle terminationMessagePath terminationMessagePolicy imagePullPolicy securityContext "
        "stdin stdinOnce tty targetContainerName"
    )
)
_SPECS = {
    "Pod": "volumes initContainers containers ephemeralContainers restartPolicy "
    "terminationGracePeriodSeconds activeDeadlineSeconds dnsPolicy nodeSelector "
    "serviceAccountName serviceAccount automountServiceAccountToken nodeName hostNetwork hostPID "
    "hostIPC shareProcessNamespace securityContext imagePullSecrets hostname subdomain affinity "
    "schedulerName tolerations hostAliases priorityClassName priority dnsConfig readinessGates "
    "runtimeClassName enableServiceLinks preemptionPolicy overhead topologySpreadConstraints "
    "setHostnameAsFQDN os hostUsers schedulingGates resourceClaims resources hostnameOverride",
    "Job": "parallelism completions activeDeadlineSeconds podFailurePolicy successPolicy "
    "backoffLimit backoffLimitPerIndex maxFailedIndexes selector manualSelector template "
    "ttlSecondsAfterFinished completionMode suspend podReplacementPolicy managedBy",
    "CronJob": "schedule timeZone startingDeadlineSeconds concurrencyPolicy suspend jobTemplate "
    "successfulJobsHistoryLimit failedJobsHistoryLimit",
    "Deployment": "replicas selector template strategy minReadySeconds revisionHistoryLimit "
    "paused progressDeadlineSeconds",
    "ReplicaSet": "replicas minReadySeconds selector template",
    "DaemonSet": "selector template updateStrategy minReadySeconds revisionHistoryLimit",
    "StatefulSet": "replicas selector template volumeClaimTemplates serviceName "
    "podManagementPolicy updateStrategy revisionHistoryLimit minReadySeconds "
    "persistentVolumeClaimRetentionPolicy ordinals",
    "NetworkPolicy": "podSelector ingress egress policyTypes",
    "Node": "podCIDR podCIDRs providerID unschedulable taints configSource externalID",
}
_TOP = {
    "ConfigMap": "apiVersion kind metadata data binaryData immutable",
    "Secret": "apiVersion kind metadata data stringData type immutable",
    **dict.fromkeys(_SPECS, "apiVersion kind metadata spec status"),
}


def check_strictly(obj: Obj) -> None:
    """Raises ApiProblem (400) that names every unknown field."""
    kind = str(obj.get("kind", ""))
    found: list[str] = []
    if kind in _TOP:
        _compare(obj, _TOP[kind].split(), "", found)
        _compare(obj.get("metadata"), _META, "metadata", found)
    if kind in _SPECS:
        _check_spec(obj.get("spec"), kind, "spec", found)
    if found:
        listed = ", ".join(f'unknown field "{path}"' for path in found)
        version = str(obj.get("apiVersion", "")).rsplit("/", 1)[-1]
        raise bad_request(
            f'{kind} in version "{version}" cannot be handled as a {kind}: strict decoding error: '
            f"{listed}"
        )


def _compare(value: Any, known: frozenset[str] | list[str], at: str, found: list[str]) -> None:
    if isinstance(value, dict):
        found.extend(f"{at}.{name}".lstrip(".") for name in value if name not in known)


def _check_spec(spec: Any, kind: str, at: str, found: list[str]) -> None:
    if not isinstance(spec, dict):
        return
    _compare(spec, _SPECS[kind].split(), at, found)
    if kind == "Pod":
        for field in ("containers", "initContainers", "ephemeralContainers"):
            for number, container in enumerate(spec.get(field) or []):
                _compare(container, _CONTAINER, f"{at}.{field}[{number}]", found)
        return
    field, inner = ("jobTemplate", "Job") if kind == "CronJob" else ("template", "Pod")
    template = spec.get(field)
    if isinstance(template, dict):
        _compare(template, ["metadata", "spec"], f"{at}.{field}", found)
        _compare(template.get("metadata"), _META, f"{at}.{field}.metadata", found)
        _check_spec(template.get("spec"), inner, f"{at}.{field}.spec", found)
