"""OTLP-JSON logs: what an OpenTelemetry collector takes (ExportLogsServiceRequest, opentelemetry
proto logs/v1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from timeline.entry import canonical
from timeline.export.source import ExportSource

_SEVERITY: Final[Mapping[str, tuple[int, str]]] = {
    "critical": (17, "ERROR"),
    "warning": (13, "WARN"),
}
_INFO: Final = (9, "INFO")


def document(source: ExportSource) -> dict[str, Any]:
    """One log record for each visible entry, by the time it happened."""
    records = []
    for line in source.lines:
        entry = line.entry
        if line.hidden:
            continue
        number, text = _SEVERITY.get(str(entry.data.get("severity", "")), _INFO)
        attributes = {
            "stanch.seq": str(entry.seq),
            "stanch.kind": entry.kind,
            "stanch.phase": entry.phase,
            "stanch.confidence": entry.confidence,
            "stanch.audit_id": entry.audit_id,
            "k8s.object": str(entry.object or ""),
            "k8s.namespace.name": entry.namespace,
            "enduser.id": entry.actor,
            "stanch.data": canonical(dict(entry.data)) if entry.data else "",
        }
        records.append(
            {
                "timeUnixNano": str(int(entry.occurred_at.timestamp() * 1_000_000) * 1000),
                "observedTimeUnixNano": str(int(entry.recorded_at.timestamp() * 1_000_000) * 1000),
                "severityNumber": number,
                "severityText": text,
                "body": {"stringValue": entry.text},
                "attributes": _attributes(attributes),
            }
        )
    context = next((entry.context for entry in source.entries if entry.context), "")
    uid = next((entry.cluster_uid for entry in source.entries if entry.cluster_uid), "")
    resource = {
        "service.name": "stanch",
        "stanch.incident": source.incident_id,
        "k8s.cluster.name": context,
        "k8s.cluster.uid": uid,
    }
    scope = {"scope": {"name": "stanch.timeline"}, "logRecords": records}
    return {
        "resourceLogs": [{"resource": {"attributes": _attributes(resource)}, "scopeLogs": [scope]}]
    }


def _attributes(values: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in values.items() if value]
