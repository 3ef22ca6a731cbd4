"""kube-apiserver for a test cluster: TLS, RBAC, client certificates and static tokens."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.rungs.programs.certificates import Authority, Certificate, create_authority
from tests.rungs.programs.kubeconfig import connect, write
from tests.rungs.programs.processes import Process, flags, free_port, start, wait_until

SERVICE_RANGE = "10.96.0.0/16"
# An API server refuses a loopback address here; this one (RFC 5737, documentation) is only ever
# written into Endpoints.
ADVERTISED = "192.0.2.1"
TOKENS = {"admin": "admin-token", "viewer": "viewer-token"}


@dataclass(frozen=True, slots=True)
class ApiServer:
    """A ready API server."""

    process: Process
    server: str
    kubeconfig: Path
    authority: Authority
    service_accounts: Certificate


def start_apiserver(
    stack: ExitStack,
    binary: Path,
    directory: Path,
    etcd: str,
    *,
    address: str = "127.0.0.1",
    port: int = 0,
    advertised: str = ADVERTISED,
    extra_addresses: Sequence[str] = (),
    enter: Sequence[str] = (),
    endpoints: bool = True,
    limit: float = 60.0,
) -> ApiServer:
    """Start an API server and wait until /readyz answers 200.

    `endpoints=False` keeps it from writing the Endpoints of `default/kubernetes`: for data that
    brings its own. Users: a client certificate of the group system:masters (the kubeconfig), and
    the tokens of TOKENS: `admin` in that group,
    `viewer` without any right until a test binds one.
    """
    port = port or free_port(address)
    authority = create_authority(directory / "pki")
    serving = authority.issue(
        "apiserver",
        "kube-apiserver",
        "",
        [address, "127.0.0.1", "kubernetes", "10.96.0.1", *extra_addresses],
    )
    admin = authority.issue("admin", "kubernetes-admin", "system:masters")
    to_kubelet = authority.issue(
        "apiserver-kubelet-client", "kube-apiserver-kubelet-client", "system:masters"
    )
    accounts = authority.issue("service-accounts", "service-accounts")
    tokens = directory / "tokens.csv"
    tokens.write_text(
        f'{TOKENS["admin"]},token-admin,token-admin,"system:masters"\n{TOKENS["viewer"]},viewer,viewer\n'
    )
    server = f"https://{address}:{port}"
    settings = {
        "etcd-servers": etcd,
        "secure-port": port,
        "bind-address": "0.0.0.0" if enter else address,
        "advertise-address": advertised,
        "tls-cert-file": serving.certificate,
        "tls-private-key-file": serving.key,
        "client-ca-file": authority.root.certificate,
        "token-auth-file": tokens,
        "service-account-key-file": accounts.certificate,
        "service-account-signing-key-file": accounts.key,
        "service-account-issuer": "https://kubernetes.default.svc",
        "authorization-mode": "Node,RBAC",
        "service-cluster-ip-range": SERVICE_RANGE,
        "allow-privileged": "true",
        # Pods of the tests have no token; on rung 1 nothing would make their accounts.
        "disable-admission-plugins": "ServiceAccount",
        "kubelet-client-certificate": to_kubelet.certificate,
        "kubelet-client-key": to_kubelet.key,
        "kubelet-preferred-address-types": "InternalIP",  # otherwise it looks node names up in DNS
        "event-ttl": "8760h",
        "endpoint-reconciler-type": "lease" if endpoints else "none",
        "profiling": "false",
    }
    process = start(stack, "kube-apiserver", [binary, *flags(settings)], directory, enter=enter)
    kubeconfig = write(directory / "kubeconfig", server, authority.root.certificate, client=admin)
    wait_ready(process, kubeconfig, limit)
    return ApiServer(process, server, kubeconfig, authority, accounts)


def wait_ready(process: Process, kubeconfig: Path, limit: float = 60.0) -> None:
    """Wait until /readyz answers 200. Raises StartFailed after `limit` seconds or when the process
    ends."""
    with connect(kubeconfig, limit=2) as client:

        def ready() -> bool:
            try:
                return client.get("/readyz").status_code == httpx.codes.OK
            except httpx.TransportError:
                return False

        wait_until(ready, "kube-apiserver /readyz", process=process, limit=limit)
