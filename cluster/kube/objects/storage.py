"""storage.k8s.io/v1: VolumeAttachments."""

from __future__ import annotations

from cluster.kube.objects.meta import Object, Time, Wire


class AttachmentSource(Wire, frozen=True):
    persistent_volume_name: str = ""


class AttachmentSpec(Wire, frozen=True):
    attacher: str = ""
    node_name: str = ""
    source: AttachmentSource = AttachmentSource()


class VolumeError(Wire, frozen=True):
    time: Time | None = None
    message: str = ""


class AttachmentStatus(Wire, frozen=True):
    attached: bool = False
    attach_error: VolumeError | None = None
    detach_error: VolumeError | None = None


class VolumeAttachment(Object, frozen=True):
    spec: AttachmentSpec = AttachmentSpec()
    status: AttachmentStatus = AttachmentStatus()
