"""TLS contexts that judge a server as Go's clients do, so that what kubectl accepts is accepted
here."""

from __future__ import annotations

import os
import ssl

from cluster.connect.access import Trust
from cluster.errors import CredentialError, KubeconfigError


def client_context(
    trust: Trust, certificate_pem: bytes | None = None, key_pem: bytes | None = None, user: str = ""
) -> ssl.SSLContext:
    """A context for one user. Raises `KubeconfigError` for a broken CA, `CredentialError` for a
    broken pair."""
    if trust.insecure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif trust.ca_pem is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(cadata=trust.ca_pem.decode("ascii", "ignore"))
        except (ssl.SSLError, ValueError) as error:
            raise KubeconfigError(
                "The cluster's certificate-authority holds no certificate that can be read; "
                "repair the kubeconfig."
            ) from error
    else:
        context = ssl.create_default_context()
    # Go accepts any certificate of the pool as an anchor and does not insist on the extensions that
    # STRICT asks for.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate_pem and key_pem:
        _load_pair(context, certificate_pem, key_pem, user)
    elif certificate_pem or key_pem:
        raise CredentialError(
            f"User {user!r} has a client certificate without a key or a key without a "
            "certificate; repair the kubeconfig."
        )
    return context


def _load_pair(context: ssl.SSLContext, certificate_pem: bytes, key_pem: bytes, user: str) -> None:
    """The ssl module reads pairs from files only: an anonymous file in memory keeps the key off the
    disk."""
    descriptor = (
        os.memfd_create("stanch-client", os.MFD_CLOEXEC) if hasattr(os, "memfd_create") else -1
    )
    path = f"/proc/self/fd/{descriptor}"
    if descriptor < 0:
        import tempfile

        descriptor, path = tempfile.mkstemp(prefix="stanch-")  # mode 0600
    try:
        os.write(descriptor, certificate_pem.rstrip() + b"\n" + key_pem)
        # An empty passphrase makes OpenSSL fail on an encrypted key instead of asking on the
        # terminal.
        context.load_cert_chain(path, password=b"")
    except (ssl.SSLError, OSError, ValueError) as error:
        raise CredentialError(
            f"The client certificate and key of user {user!r} cannot be used (not a pair, not "
            "PEM, or the key is encrypted); renew them."
        ) from error
    finally:
        os.close(descriptor)
        if not path.startswith("/proc/"):
            os.unlink(path)
