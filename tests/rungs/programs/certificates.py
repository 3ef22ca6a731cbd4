"""A certificate authority for one test cluster, made with the openssl command."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.rungs.programs.processes import RungMissing

_EXTENSIONS = """
[req]
distinguished_name = dn
prompt = no
[dn]
[ca]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign, digitalSignature
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature, keyEncipherment
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


@dataclass(frozen=True, slots=True)
class Certificate:
    """Paths of a PEM certificate and its PEM key."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Authority:
    """Signs the certificates of one cluster; they are valid for two days."""

    directory: Path
    root: Certificate

    def issue(
        self, name: str, common_name: str, organization: str = "", addresses: Sequence[str] = ()
    ) -> Certificate:
        """A certificate for client and server use. `addresses` are IP addresses or DNS names it is
        valid for."""
        names = [
            ("IP" if part.replace(".", "").isdigit() or ":" in part else "DNS") + f":{part}"
            for part in addresses
        ]
        return _issue(self.directory, name, common_name, organization, "leaf", names, self.root)


def create_authority(directory: Path) -> Authority:
    """Make the root certificate in `directory`. Raises RungMissing without openssl."""
    if shutil.which("openssl") is None:
        raise RungMissing("the openssl command is missing; install openssl")
    directory.mkdir(parents=True, exist_ok=True)
    return Authority(directory, _issue(directory, "ca", "stanch-test-ca", "", "ca", [], None))


def _issue(
    directory: Path,
    name: str,
    common_name: str,
    organization: str,
    section: str,
    names: list[str],
    root: Certificate | None,
) -> Certificate:
    made = Certificate(directory / f"{name}.crt", directory / f"{name}.key")
    config = directory / f"{name}.cnf"
    config.write_text(_EXTENSIONS + (f"subjectAltName = {','.join(names)}\n" if names else ""))
    subject = (f"/O={organization}" if organization else "") + f"/CN={common_name}"
    signer = ["-CA", str(root.certificate), "-CAkey", str(root.key)] if root else []
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-sha256",
            "-days",
            "2",
            "-config",
            str(config),
            "-extensions",
            section,
            "-subj",
            subject,
            "-keyout",
            str(made.key),
            "-out",
            str(made.certificate),
            *signer,
        ],
        check=True,
        capture_output=True,
        timeout=30,
    )
    return made
