"""Throw-away certificates made with the openssl command."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Pair:
    certificate: Path
    key: Path


def make_pair(
    folder: Path,
    name: str = "localhost",
    *,
    days: int = 30,
    issuer: Pair | None = None,
    client: bool = False,
) -> Pair:
    """A certificate for `name` and 127.0.0.1, self-signed or signed by `issuer`."""
    folder.mkdir(parents=True, exist_ok=True)
    pair = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-subj",
        f"/O=stanch test/CN={name}",
        "-days",
        str(days),
        "-keyout",
        str(pair.key),
        "-out",
        str(pair.certificate),
        "-addext",
        f"subjectAltName=DNS:{name},IP:127.0.0.1",
        "-addext",
        f"extendedKeyUsage={'clientAuth' if client else 'serverAuth,clientAuth'}",
    ]
    if issuer is not None:
        command += ["-CA", str(issuer.certificate), "-CAkey", str(issuer.key)]
    subprocess.run(command, check=True, capture_output=True)
    return pair
