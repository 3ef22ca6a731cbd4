"""Container images without a registry: Debian's static busybox packed as a docker archive."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

from tests.rungs.programs.processes import RungMissing

BUSYBOX = "stanch.test/busybox:1"
PAUSE = "stanch.test/pause:1"


def static_busybox() -> Path:
    """The path of a busybox that needs no shared libraries. Raises RungMissing."""
    path = Path("/bin/busybox")
    if not path.exists():
        raise RungMissing("busybox is missing; install busybox-static")
    if b"/ld-linux" in path.read_bytes():
        raise RungMissing(
            "/bin/busybox is not static, pods could not run it; install busybox-static"
        )
    return path


def write_archive(path: Path) -> Path:
    """Write both images to `path`: BUSYBOX (a shell with applets) and PAUSE (sleeps for ever)."""
    layer = _layer(static_busybox())
    with tarfile.open(path, "w") as archive:
        _add(archive, "layer.tar", layer)
        manifest = []
        for name, command in ((BUSYBOX, ["sh"]), (PAUSE, ["sleep", "2147483647"])):
            config = _config(layer, command)
            file = f"{hashlib.sha256(config).hexdigest()}.json"
            _add(archive, file, config)
            manifest.append({"Config": file, "RepoTags": [name], "Layers": ["layer.tar"]})
        _add(archive, "manifest.json", json.dumps(manifest).encode())
    return path


def _layer(busybox: Path) -> bytes:
    applets = subprocess.run(
        [str(busybox), "--list"], capture_output=True, text=True, check=True, timeout=10
    ).stdout.split()
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as layer:
        for folder, mode in (
            ("bin", 0o755),
            ("etc", 0o755),
            ("tmp", 0o1777),
            ("proc", 0o755),
            ("sys", 0o755),
            ("dev", 0o755),
        ):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            layer.addfile(entry)
        _add(layer, "bin/busybox", busybox.read_bytes(), 0o755)
        _add(layer, "etc/passwd", b"root:x:0:0::/:/bin/sh\nnonroot:x:65532:65532::/tmp:/bin/sh\n")
        for applet in applets:
            if applet != "busybox":
                entry = tarfile.TarInfo(f"bin/{applet}")
                entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
                layer.addfile(entry)
    return sink.getvalue()


def _config(layer: bytes, command: Sequence[str]) -> bytes:
    return json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Env": ["PATH=/bin"], "Cmd": list(command)},
            "rootfs": {
                "type": "layers",
                "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"],
            },
        }
    ).encode()


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))
