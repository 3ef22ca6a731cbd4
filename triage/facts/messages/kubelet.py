"""Sandboxes, images, evictions and nodes, by the texts of the kubelet, runtimes and CNI plugins."""

from __future__ import annotations

import re

_NO_ADDRESS = re.compile(
    r"failed to assign an ip address|no ip addresses available|no available ips?\b|ip(?:am)? "
    r"(?:pool|range)s?\b.{0,60}exhausted"
    r"|failed to allocate (?:for range|ip|address)|no more (?:ips|addresses|free)|out of "
    r"ip|insufficientfreeaddresses"
    r"|addresses? (?:are )?exhausted|no free ip|ip_space_exhausted|insufficient (?:free )?(?:ip "
    r")?addresses|cannot allocate new block"
    r"|no (?:free|available) (?:ip )?addresses|unable to allocate ip|could not allocate ip|all "
    r"cidrs? .{0,40}exhausted"
    r"|range set.{0,40}(?:full|exhausted)|not enough ips|waiting on azure cns to allocate|range "
    r"is full",
    re.IGNORECASE,
)


_CNI_NOT_READY = re.compile(
    r"cni plugin not initialized|cni config uninitialized|networkpluginnotready|network is not "
    r"ready|no networks found in /etc/cni"
    r"|networkready=false|no such file or directory.{0,40}cni|cni.{0,60}no such file or "
    r"directory|failed to find plugin",
    re.IGNORECASE,
)


_AGENT_AWAY = re.compile(
    r"dial (?:unix|tcp (?:127\.0\.0\.1|localhost|\[::1\]))[^\n]{0,160}(?:connection refused|no "
    r"such file or directory)"
    r"|(?:plugin type=|setup network for sandbox)[^\n]{0,400}no such file or "
    r"directory|/var/lib/calico/nodename|/run/flannel/subnet\.env"
    r"|unable to connect to cilium",
    re.IGNORECASE,
)
"""A plugin that finds neither the socket nor the files of its own agent on the node: calico,
flannel, cilium, aws-node, weave, OVN."""


_RUNTIME_SOCKET = re.compile(
    r"dial unix [^\s:]*(?:containerd|crio|cri-o|docker|dockershim|cri-dockerd)\S*\.sock",
    re.IGNORECASE,
)
"""The socket of the container runtime, not of a network agent."""


def agent_away(message: str) -> bool:
    """Whether a network plugin does not find its own agent on the node."""
    return _AGENT_AWAY.search(message) is not None and not _RUNTIME_SOCKET.search(message)


def no_address(message: str) -> bool:
    """Whether a CNI plugin says that it has no address left (aws-cni, host-local, calico, cilium,
    azure)."""
    return _NO_ADDRESS.search(message) is not None


def sandbox_cause(message: str) -> str:
    """Cause of FailedCreatePodSandBox: ip-exhausted, cni-not-ready, runtime-down, memory-limit,
    name-reserved, timeout, no-space, image, runtime-class, cni or other."""
    lowered = message.lower()
    if _RUNTIME_SOCKET.search(message):
        return "runtime-down"
    if "sandbox image" in lowered:
        return "image"  # before a time-out, which is the registry's
    if "no runtime for" in lowered or "runtimeclass" in lowered:
        return "runtime-class"
    if "oom-killed" in lowered or "oom killed" in lowered:
        return "memory-limit"
    if _AGENT_AWAY.search(message):
        # before addresses: weave says "unable to allocate IP address" when its agent is not there
        return "cni-not-ready"
    if no_address(message):
        return "ip-exhausted"
    if "is reserved for" in lowered or "reserve sandbox name" in lowered:
        return "name-reserved"
    if (
        "deadlineexceeded" in lowered
        or "deadline exceeded" in lowered
        or "operation timeout" in lowered
    ):
        return "timeout"
    if _CNI_NOT_READY.search(message):
        return "cni-not-ready"
    if "no space left" in lowered:
        return "no-space"
    if (
        "failed to set up sandbox container" in lowered
        or "setup network for sandbox" in lowered
        or "cni" in lowered
    ):
        return "cni"
    return "other"


def node_causes(status: str, reason: str, message: str) -> tuple[str, ...]:
    """Causes in the Ready condition of a node, the most telling first (kubelet setters.go,
    runtime.go, pleg/generic.go)."""
    lowered = message.lower()
    causes: list[str] = []
    if status == "Unknown":
        return ("never-reported",) if reason == "NodeStatusNeverUpdated" else ("kubelet-silent",)
    if (
        "container runtime is down" in lowered
        or "container runtime status check may not have completed" in lowered
    ):
        causes.append("runtime-down")
    if "pleg" in lowered:
        causes.append("pleg")
    if (
        "network" in lowered and ("not ready" in lowered or "networkpluginnotready" in lowered)
    ) or "cni" in lowered:
        causes.append("network-plugin")
    if "shutting down" in lowered:
        causes.append("shutting-down")
    if not causes and ("rpc error" in lowered or "container runtime" in lowered):
        causes.append("runtime-down")
    return tuple(causes) or ("other",)


def image_cause(message: str) -> str:
    """Cause of a failed pull: not-found, unauthorized, platform, rate-limited, timeout, dns, tls,
    refused, no-space, invalid-name, never-pulled or other."""
    lowered = message.lower()
    table = (
        (("pull policy of never",), "never-pulled"),
        (("no match for platform", "no matching manifest"), "platform"),
        (("toomanyrequests", "too many requests", "rate limit"), "rate-limited"),
        (("no such host", "server misbehaving", "temporary failure in name"), "dns"),
        (("x509", "certificate", "tls"), "tls"),
        (("no space left",), "no-space"),
        (("connection refused",), "refused"),
        (("i/o timeout", "timeout", "deadline exceeded", "timed out"), "timeout"),
        (
            ("unauthorized", "authentication required", "denied", "forbidden", "no basic auth"),
            "unauthorized",
        ),
        (("not found", "manifest unknown", "does not exist", "notfound"), "not-found"),
        (("invalid reference", "couldn't parse image", "invalid image"), "invalid-name"),
    )
    return next((cause for needles, cause in table if any(n in lowered for n in needles)), "other")


IMAGE_CAUSES = {
    "not-found": "not found in the registry",
    "unauthorized": "unauthorized: the registry refuses access",
    "platform": "not built for this platform",
    "rate-limited": "rate-limited by the registry",
    "timeout": "timeout: the registry does not answer in time",
    "dns": "DNS: the name of the registry does not resolve",
    "tls": "TLS: the certificate of the registry is refused",
    "refused": "connection refused by the registry",
    "no-space": "no space left on the node",
    "invalid-name": "its name is not valid",
    "never-pulled": "not on the node, and its policy is Never",
}
"""What the answers of `image_cause` mean; `other` has no words of its own."""


def own_limit(message: str) -> bool:
    """Whether an evicted pod exceeded a limit of its own (ephemeral storage, emptyDir), so that the
    node was not short of anything (pkg/kubelet/eviction/helpers.go)."""
    return re.search(r"\bexceed(?:s|ed)\b.{0,80}\blimit", message, re.IGNORECASE) is not None


def evicted_resource(message: str) -> str:
    """`The node was low on resource: memory. …` -> memory; `Pod ephemeral local storage usage
    exceeds…` -> ephemeral-storage."""
    found = re.search(r"low on resource: ([a-z-]+)", message)
    if found:
        return found[1]
    if re.search(r"ephemeral|emptydir|local storage", message, re.IGNORECASE):
        return "ephemeral-storage"
    return "pids" if "pid" in message.lower() else ""


_RUNTIME_AWAY = re.compile(
    r"code = (?:Unavailable|DeadlineExceeded)|connection refused|\.sock: |deadline "
    r"exceeded|runtime is down",
    re.IGNORECASE,
)


def runtime_away(message: str) -> bool:
    """Whether a collection failed because the runtime did not answer, and not for want of anything
    to free."""
    return bool(_RUNTIME_AWAY.search(message))


_VICTIM = re.compile(
    r"victim process: ([^,\s]+)|Killed process \d+[,]? \(?([^\s),]+)", re.IGNORECASE
)


RUNTIMES = frozenset(
    {
        "dockerd",
        "docker",
        "containerd",
        "containerd-shim",
        "containerd-shim-runc-v2",
        "crio",
        "cri-o",
        "conmon",
        "docker-containerd",
    }
)


def oom_victim(message: str) -> str:
    """The process that the kernel killed, "" when the message does not say (kubelets before
    1.20)."""
    found = _VICTIM.search(message)
    return (found[1] or found[2]).strip("()") if found else ""
