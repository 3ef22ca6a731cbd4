"""Field names of the kinds that people write by hand, for `fieldValidation=Strict`: a misplaced or
misspelt field is refused instead of dropped. From k8s.io/api v0.34; what is not listed here is not
checked."""

from __future__ import annotations

from typing import Any

from drills.api.objects import Obj
from drills.api.problems import bad_request


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_META = _names(
    "name generateName namespace selfLink uid resourceVersion generation creationTimestamp "
    "deletionTimestamp "
    "deletionGracePeriodSeconds labels annotations ownerReferences finalizers managedFields"
)
_CONTAINER = _names(
    "name image command args workingDir ports envFrom env resources resizePolicy restartPolicy "
    "restartPolicyRules volumeMounts volumeDevices livenessProbe readinessProbe startupProbe "
    "lifecycle "
    "terminationMessagePath terminationMessagePolicy imagePullPolicy securityContext stdin "
    "stdinOnce tty "
    "targetContainerName"
)
_POD = _names(
    "volumes initContainers containers ephemeralContainers restartPolicy "
    "terminationGracePeriodSeconds "
    "activeDeadlineSeconds dnsPolicy nodeSelector serviceAccountName serviceAccount "
    "automountServiceAccountToken "
    "nodeName hostNetwork hostPID hostIPC shareProcessNamespace securityContext imagePullSecrets "
    "hostname "
    "subdomain affinity schedulerName tolerations hostAliases priorityClassName priority "
    "dnsConfig readinessGates "
    "runtimeClassName enableServiceLinks preemptionPolicy overhead topologySpreadConstraints "
    "setHostnameAsFQDN os "
    "hostUsers schedulingGates resourceClaims resources hostnameOverride"
)
_JOB = _names(
    "parallelism completions activeDeadlineSeconds podFailurePolicy successPolicy backoffLimit "
    "backoffLimitPerIndex maxFailedIndexes selector manualSelector template "
    "ttlSecondsAfterFinished "
    "completionMode suspend podReplacementPolicy managedBy"
)
_CRON = _names(
    "schedule timeZone startingDeadlineSeconds concurrencyPolicy suspend jobTemplate "
    "successfulJobsHistoryLimit failedJobsHistoryLimit"
)
_SPECS: dict[str, frozenset[str]] = {
    "Pod": _POD,
    "Job": _JOB,
    "CronJob": _CRON,
    "Deployment": _names(
        "replicas selector template strategy minReadySeconds revisionHistoryLimit paused "
        "progressDeadlineSeconds"
    ),
    "ReplicaSet": _names("replicas minReadySeconds selector template"),
    "DaemonSet": _names("selector template updateStrategy minReadySeconds revisionHistoryLimit"),
    "StatefulSet": _names(
        "replicas selector template volumeClaimTemplates serviceName podManagementPolicy "
        "updateStrategy "
        "revisionHistoryLimit minReadySeconds persistentVolumeClaimRetentionPolicy ordinals"
    ),
    "NetworkPolicy": _names("podSelector ingress egress policyTypes"),
    "Node": _names("podCIDR podCIDRs providerID unschedulable taints configSource externalID"),
}
_TOP = {
    "ConfigMap": _names("apiVersion kind metadata data binaryData immutable"),
    "Secret": _names("apiVersion kind metadata data stringData type immutable"),
}


def check_strictly(obj: Obj) -> None:
    """Raises ApiProblem (400) that names every unknown field."""
    kind = str(obj.get("kind", ""))
    found: list[str] = []
    if kind in _SPECS or kind in _TOP:
        _compare(obj, _TOP.get(kind, _names("apiVersion kind metadata spec status")), "", found)
        _compare(obj.get("metadata"), _META, "metadata", found)
    if kind in _SPECS:
        _spec(obj.get("spec"), kind, "spec", found)
    if found:
        listed = ", ".join(f'unknown field "{path}"' for path in found)
        version = str(obj.get("apiVersion", "")).rsplit("/", 1)[-1]
        raise bad_request(
            f'{kind} in version "{version}" cannot be handled as a {kind}: strict decoding error: '
            f"{listed}"
        )


def _compare(value: Any, known: frozenset[str], at: str, found: list[str]) -> None:
    if isinstance(value, dict):
        found.extend(f"{at}.{name}".lstrip(".") for name in value if name not in known)


def _spec(spec: Any, kind: str, at: str, found: list[str]) -> None:
    if not isinstance(spec, dict):
        return
    _compare(spec, _SPECS[kind], at, found)
    if kind == "Pod":
        for field in ("containers", "initContainers", "ephemeralContainers"):
            for number, container in enumerate(spec.get(field) or []):
                _compare(container, _CONTAINER, f"{at}.{field}[{number}]", found)
    elif kind == "CronJob":
        job = spec.get("jobTemplate")
        _compare(job, _names("metadata spec"), f"{at}.jobTemplate", found)
        if isinstance(job, dict):
            _spec(job.get("spec"), "Job", f"{at}.jobTemplate.spec", found)
    elif isinstance(spec.get("template"), dict):
        _compare(spec["template"], _names("metadata spec"), f"{at}.template", found)
        _compare(spec["template"].get("metadata"), _META, f"{at}.template.metadata", found)
        _spec(spec["template"].get("spec"), "Pod", f"{at}.template.spec", found)
