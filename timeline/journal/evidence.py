"""Evidence: bytes that were seen, redacted, capped, and addressed by the SHA-256 of what is stored.

What is known about one use of the bytes (command, exit code, duration) belongs to the entry, where
the hash chain covers it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from timeline.entry import Capture
from timeline.redaction.redact import Redactor

CAP_BYTES: Final = 256 * 1024
_MARGIN: Final = 16 * 1024
"""Bytes redacted beyond each cut, so that no secret is cut in half and missed."""
_DOCUMENT: Final = 8 << 20
"""Largest JSON document that is redacted as a whole before it is cut, in bytes."""


class EvidenceBlob(msgspec.Struct, frozen=True, kw_only=True):
    """One stored blob. Sizes in bytes; `content` is None after a purge. `original_size` is what was
    seen before the cap."""

    sha256: str
    size: int
    original_size: int
    truncated: bool
    media_type: str
    content: bytes | None

    def record(self) -> dict[str, Any]:
        """Everything but the content, as a JSON object."""
        return {
            "sha256": self.sha256,
            "size": self.size,
            "original_size": self.original_size,
            "truncated": self.truncated,
            "media_type": self.media_type,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> EvidenceBlob:
        return msgspec.convert(dict(record), cls)

    @property
    def text(self) -> str:
        """The content as text, "" when it was purged."""
        return (self.content or b"").decode(errors="replace")


def store_form(
    capture: Capture, redactor: Redactor, cap: int = CAP_BYTES
) -> tuple[EvidenceBlob, dict[str, Any], dict[str, int]]:
    """The blob to store, the facts of this capture for the entry, and the redactions by rule."""
    raw = capture.content
    redactions: dict[str, int] = {}
    is_document = raw[:_MARGIN].lstrip()[:1] in (b"{", b"[") and len(raw) <= _DOCUMENT
    # A truncated JSON document has no structure that marks secrets.
    whole = _safe(raw, redactor, redactions) if is_document or len(raw) <= cap else b""
    truncated = len(raw) > cap and not 0 < len(whole) <= cap
    if truncated:
        half = cap // 2
        head = (whole or _safe(raw[: half + _MARGIN], redactor, redactions))[:half]
        tail = (whole or _safe(raw[-(half + _MARGIN) :], redactor, redactions))[-half:]
        head = head[: head.rfind(b"\n") + 1] or head
        tail = tail[tail.find(b"\n") + 1 :] or tail
        cut = f"\n[stanch: cut here; {len(raw)} bytes were seen, head and tail are kept]\n"
        content = head + cut.encode() + tail
    else:
        content = whole
    evidence = EvidenceBlob(
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        original_size=len(raw),
        truncated=truncated,
        media_type=redactor.clean(capture.media_type),
        content=content,
    )
    source, counts = redactor.text(capture.source)
    for rule, count in counts.items():
        redactions[rule] = redactions.get(rule, 0) + count
    facts: dict[str, Any] = {"sha256": evidence.sha256, "source": source}
    if capture.exit_code is not None:
        facts["exit_code"] = capture.exit_code
    if capture.duration is not None:
        facts["duration_ms"] = round(capture.duration * 1000)
    if capture.resource_version:
        facts["resource_version"] = redactor.clean(capture.resource_version)
    return evidence, facts, redactions


def _safe(raw: bytes, redactor: Redactor, redactions: dict[str, int]) -> bytes:
    text, counts = redactor.document(redactor.clean(raw.decode(errors="replace")))
    for rule, count in counts.items():
        redactions[rule] = redactions.get(rule, 0) + count
    return text.encode()
