"""What the texts of the scheduler, the kubelet, the runtimes and the controllers mean. Pure
functions over one message.

The formats are those of Kubernetes 1.20 to 1.35 (kube-scheduler FitError, kubelet events,
containerd and CRI-O errors, admission).
"""

from __future__ import annotations

import re
from typing import NamedTuple

# ---- all

_RPC = re.compile(r"(?:rpc error: )?code = \w+ desc = ")
_LONG_ID = re.compile(r"\b[0-9a-f]{16,}\b")
_VARYING = re.compile(r"0x[0-9a-f]+|[0-9a-f]{8,}(?:-[0-9a-f]{4,})*|\d+|\"[^\"]*\"|'[^']*'|/\S+")
QUOTE = 180
"""Characters of a message that a claim quotes."""


def quoted(message: str) -> str:
    """A message in one line, without the wrappers of RPCs and long ids. Of a long one the middle is
    left out: the beginning says what failed, the end why."""
    text = " ".join(_LONG_ID.sub("…", _RPC.sub("", message)).split())
    if len(text) <= QUOTE:
        return text
    return f"{text[: QUOTE // 2].rstrip()} … {text[-QUOTE // 2 :].lstrip()}"


def signature(message: str) -> str:
    """A message without what varies from object to object (numbers, hashes, quoted names, paths):
    the same for one cause."""
    return " ".join(_VARYING.sub("*", _RPC.sub("", message)).split())[:QUOTE]


# ---- scheduler

_CLAUSE = re.compile(r"^(\d+)\s+(.*)$", re.DOTALL)
_SCHEDULING: tuple[tuple[str, str], ...] = (
    ("insufficient memory", "insufficient-memory"),
    ("insufficient cpu", "insufficient-cpu"),
    ("insufficient pods", "insufficient-pods"),
    ("too many pods", "insufficient-pods"),
    ("insufficient ephemeral-storage", "insufficient-storage"),
    ("did not have enough free storage", "insufficient-storage"),
    ("insufficient ", "insufficient-other"),
    ("node.kubernetes.io/not-ready", "node-not-ready"),
    ("node.kubernetes.io/unreachable", "node-not-ready"),
    ("were not ready", "node-not-ready"),
    ("node.kubernetes.io/unschedulable", "cordoned"),
    ("were unschedulable", "cordoned"),
    ("taint", "taint"),
    ("anti-affinity", "anti-affinity"),
    ("topology spread", "topology-spread"),
    ("volume node affinity conflict", "volume-affinity"),
    ("persistentvolume's node affinity", "volume-affinity"),
    ("no available volume zone", "volume-affinity"),
    ("exceed max volume count", "volume-count"),
    ("available persistent volumes to bind", "volume-unbound"),
    ("node affinity", "affinity"),
    ("node selector", "affinity"),
    ("prefilter result", "affinity"),
    ("pod affinity", "affinity"),
    ("free ports", "host-port"),
    ("allocate all claims", "resource-claim"),
    ("resourceclaim", "resource-claim"),
)
_BEFORE_FILTERS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), cause)
    for pattern, cause in (
        (r"unbound immediate persistentvolumeclaims", "volume-unbound"),
        (r"persistentvolumeclaim \"?([^\s\"]+)\"? (?:not found|is being deleted)", "claim-missing"),
        (r"ephemeral volume controller to create the persistentvolumeclaim", "volume-unbound"),
        (r"no nodes available to schedule pods", "no-nodes"),
        (r"binding volumes: (.+)", "volume-binding"),
        (r"resourceclaims? \"?([^\s\"]*)|resource claim", "resource-claim"),
        (r"provisioning timed out", "provisioning"),
        (r"(?:not supported on fargate|misconfigured fargate profile)[:\s]*(.*)", "provider"),
        (r"incompatible with nodepool|no (?:nodepool|instance type)", "nodepool"),
    )
)
"""Texts without a count per node: before the filters run, and of other schedulers (Karpenter,
Fargate)."""
_RESOURCE = re.compile(r"insufficient (\S+)", re.IGNORECASE)
_TAINT = re.compile(r"taint\(?s?\)?\s*\{([^:}\s]+)")
_DETAIL = {"insufficient-other": _RESOURCE, "taint": _TAINT}


class Scheduling(NamedTuple):
    """Why no node fits: causes, most frequent first, each with the number of nodes; `nodes` looked
    at. `detail` belongs to the first cause: the resource, the key of the taint, the claim."""

    causes: tuple[tuple[str, int], ...]
    nodes: int
    detail: str = ""


def scheduling(message: str) -> Scheduling:
    """Read a FitError of Kubernetes 1.20 to 1.35: `0/5 nodes are available: 2 Insufficient memory,
    3 node(s) had untolerated taint {k: v}. preemption: …`, or the text of another scheduler.

    The clauses are in lexicographic order, so they are ranked by their count here. Texts before the
    filters run have no counts.
    """
    text = re.split(r"\.?\s+(?:preemption:|no new claims to deallocate)", message, maxsplit=1)[0]
    head = re.search(r"\d+/(\d+) nodes are available", text)
    if head is None or not re.search(r":\s*\d+ ", text[head.end() :]):
        for pattern, cause in _BEFORE_FILTERS:
            if (found := pattern.search(text)) is not None:
                detail = next((text for text in found.groups() if text), "")
                return Scheduling(((cause, 0),), 0, quoted(detail))
    nodes = int(head[1]) if head else 0
    body = text.partition("available:")[2] if head else text
    counts: dict[str, int] = {}
    details: dict[str, str] = {}
    for clause in re.split(r",\s+(?=\d+\s)", body.strip().rstrip(".")):
        parts = _CLAUSE.match(clause.strip())
        number, what = (int(parts[1]), parts[2]) if parts else (0, clause)
        lowered = what.lower()
        cause = next((name for needle, name in _SCHEDULING if needle in lowered), "other")
        counts[cause] = counts.get(cause, 0) + number
        if cause in _DETAIL and (named := _DETAIL[cause].search(what)) is not None:
            details.setdefault(cause, named[1].rstrip(".,"))
        elif cause == "other":
            details.setdefault(cause, quoted(what))
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return Scheduling(tuple(ranked), nodes, details.get(ranked[0][0], ""))


SCHEDULING_TEXT = {
    "insufficient-memory": "insufficient memory",
    "insufficient-cpu": "insufficient cpu",
    "insufficient-pods": "no node may run more pods",
    "insufficient-storage": "insufficient ephemeral storage",
    "insufficient-other": "insufficient of a resource",
    "node-not-ready": "nodes are not ready",
    "taint": "untolerated taints",
    "cordoned": "nodes are cordoned",
    "affinity": "node affinity or selector",
    "anti-affinity": "anti-affinity rules",
    "topology-spread": "topology spread constraints",
    "volume-affinity": "volume in another zone or node",
    "volume-count": "too many volumes on the nodes",
    "volume-unbound": "unbound volume claims",
    "volume-binding": "volumes cannot be bound",
    "claim-missing": "volume claim not found",
    "resource-claim": "dynamic resources cannot be allocated",
    "host-port": "host port in use",
    "no-nodes": "the cluster has no node",
    "provisioning": "the provider did not provision a node in time",
    "provider": "the provider refuses the pod",
    "nodepool": "no node pool fits",
    "gated": "scheduling gates",
    "other": "no node fits",
}


def scheduling_text(cause: str, detail: str = "") -> str:
    """A cause in words, with the word that decides: the resource, the taint, the claim."""
    text = SCHEDULING_TEXT.get(cause, SCHEDULING_TEXT["other"])
    if not detail:
        return text
    named = {
        "insufficient-other": f"insufficient {detail}",
        "taint": f"untolerated taint {detail}",
        "claim-missing": f"volume claim {detail} not found",
        "other": detail,
    }
    return named.get(cause, f"{text}: {detail}")


# ---- sandbox, network, images, probes

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
    name-reserved, timeout, no-space, cni or other."""
    lowered = message.lower()
    if _RUNTIME_SOCKET.search(message):
        return "runtime-down"
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
    """Cause of a failed pull: not-found, unauthorized, rate-limited, timeout, dns, tls, refused,
    no-space, invalid-name or other."""
    lowered = message.lower()
    table = (
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


_PROTOCOL = (
    ("gave http response to https client", "TLS to a server that answers in plain HTTP"),
    ("first record does not look like a tls handshake", "TLS to a server that answers without it"),
    ("http request to an https server", "HTTP to a server that wants TLS"),
    ("malformed http response", "HTTP to a server that answers in another protocol (TLS, gRPC)"),
    ("error reading server preface", "gRPC to a server that answers in another protocol"),
    ("frame too large", "gRPC to a server that answers in another protocol"),
    ("does not implement the grpc health protocol", "gRPC health checks, which it does not serve"),
)
_PROBE_PORT = re.compile(r"(?:https?://|dial tcp |service \"?)(?:\[[^\]]*\]|[^\s:/\"]+):(\d+)")
_PROBE_STATUS = re.compile(r"status ?code: ?(\d+)", re.IGNORECASE)


def probe_protocol(message: str) -> str:
    """What a probe speaks to a server that speaks something else, "" when it is not that."""
    lowered = message.lower()
    return next((text for sign, text in _PROTOCOL if sign in lowered), "")


def probe_port(message: str) -> int:
    """The port that a probe asked, 0 when its message does not say."""
    found = _PROBE_PORT.search(message)
    return int(found[1]) if found else 0


def probe_status(message: str) -> str:
    """The status code of the answer, "?" without one."""
    found = _PROBE_STATUS.search(message)
    return found[1] if found else "?"


def probe_answer(message: str) -> str:
    """The message without `Readiness probe failed: `."""
    return re.sub(r"^\w+ probe (?:failed|errored)[^:]*: ", "", message)


def probe_cause(message: str) -> str:
    """How a probe failed: refused, timeout, status, dns, protocol, port, exec or other."""
    lowered = message.lower()
    if probe_protocol(message):
        return "protocol"
    if "couldn't find port" in lowered or re.search(r"port \S+ not found|strconv\.", lowered):
        return "port"
    if "connection refused" in lowered:
        return "refused"
    if "no such host" in lowered or "lookup " in lowered:
        return "dns"
    if "timeout" in lowered or "deadline exceeded" in lowered or "timed out" in lowered:
        return "timeout"
    if "statuscode" in lowered or "status code" in lowered:
        return "status"
    if "exec: " in lowered or "executable file not found" in lowered or "oci runtime" in lowered:
        return "exec"
    return "other"


_LOOKUP = re.compile(
    r"lookup [^\s:]+(?: on [^\s]+:53)?:? .{0,80}?(i/o timeout|no such host|server "
    r"misbehaving|timed? ?out|connection refused)"
    r"|(temporary failure in name resolution|could not resolve host|name or service not "
    r"known|getaddrinfo \S+|eai_again|dns lookup)",
    re.IGNORECASE,
)


def lookup_failure(message: str) -> str:
    """`timeout`, `not-found`, or "" when the text does not report a failed name look-up."""
    found = _LOOKUP.search(message)
    if found is None:
        return ""
    text = found.group(0).lower()
    return "not-found" if "no such host" in text or "not known" in text else "timeout"


# ---- configuration and volumes


class MissingConfig(NamedTuple):
    """A Secret or ConfigMap that is not there; `key` is empty when the whole object is missing."""

    kind: str
    namespace: str
    name: str
    key: str


_MISSING = re.compile(r"\b(secret|configmap)s? \"?([a-z0-9./-]+)\"? not found", re.IGNORECASE)
_MISSING_KEY = re.compile(
    r"couldn't find key \"?([^\s\"]+)\"? in (Secret|ConfigMap) \"?([a-z0-9.-]+)/([a-z0-9.-]+)",
    re.IGNORECASE,
)
_UNREGISTERED = re.compile(r"object \"([^\"/]+)\"/\"([^\"]+)\" not registered", re.IGNORECASE)
_NO_VOLUME_KEY = re.compile(r"references non-existent (secret|config) key: ?(\S+)", re.IGNORECASE)
_VOLUME = re.compile(r"for volume \"([^\"]+)\"")


def missing_config(message: str, namespace: str) -> MissingConfig | None:
    """The Secret, ConfigMap or key that a kubelet message misses; `namespace` is the pod's.

    For a key that a volume names, `name` is empty: the message gives the volume only (see
    `volume_name`).
    """
    found = _MISSING_KEY.search(message)
    if found:
        return MissingConfig(_kind(found[2]), found[3], found[4], found[1])
    found = _MISSING.search(message)
    if found:
        where, _, name = found[2].rpartition("/")
        return MissingConfig(_kind(found[1]), where or namespace, name, "")
    found = _NO_VOLUME_KEY.search(message)
    if found:
        return MissingConfig(_kind(found[1]), namespace, "", found[2].strip(".,\"'"))
    return None


def volume_name(message: str) -> str:
    found = _VOLUME.search(message)
    return found[1] if found else ""


def _kind(text: str) -> str:
    return "Secret" if text.lower().startswith("secret") else "ConfigMap"


def volume_cause(reason: str, message: str) -> str:
    """Cause of FailedMount or FailedAttachVolume: multi-attach, attach-limit, attach, timeout,
    no-space, mount or other."""
    lowered = message.lower()
    if (
        "multi-attach" in lowered
        or "already exclusively attached" in lowered
        or "already attached to" in lowered
        or "already used by" in lowered
    ):
        return "multi-attach"
    if "maximum number" in lowered or "attachment limit" in lowered or "max volume" in lowered:
        return "attach-limit"
    if (
        reason == "FailedAttachVolume"
        or "attachvolume" in lowered
        or "waitforattach" in lowered
        or "failed to attach" in lowered
    ):
        return "attach"
    if "not registered" in lowered:
        return "other"
    if (
        "unable to attach or mount" in lowered
        or "timed out waiting for the condition" in lowered
        or "deadline" in lowered
    ):
        return "timeout"
    if "mountdevice" in lowered or "mount failed" in lowered or "setup failed" in lowered:
        return "mount"
    return "other"


_MOUNT = (
    (
        "permission",
        "permission is denied",
        r"permission denied|access denied|operation not permitted|not authorized|unauthorized",
    ),
    (
        "file-system",
        "its file system cannot be mounted",
        r"wrong fs type|bad superblock|unknown filesystem|fsck|structure needs cleaning"
        r"|mount\.<type>|failed to find.{0,20}mkfs|can't read superblock",
    ),
    (
        "unreachable",
        "its server cannot be reached",
        r"connection timed out|connection refused|no route to host|not known|failed to resolve"
        r"|i/o timeout|host is down|network is unreachable",
    ),
    (
        "missing",
        "what it names does not exist",
        r"no such file or directory|does not exist|not found|no such device|type check failed"
        r"|not a directory",
    ),
)


def mount_problem(message: str) -> tuple[str, str]:
    """(permission, file-system, unreachable, missing or "", the same in words) of a mount that
    fails."""
    for name, words, pattern in _MOUNT:
        if re.search(pattern, message, re.IGNORECASE):
            return name, words
    return "", ""


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


# ---- controllers and the control plane


_ETCD = re.compile(
    r"etcdserver: ([a-z :]+)|etcd cluster is unavailable|raft: stopped|mvcc: database space "
    r"exceeded"
    r"|rpc error: code = unavailable desc = .{0,40}etcd",
    re.IGNORECASE,
)
_SILENT = r"(?:connection refused|i/o timeout|tls handshake timeout|eof|no route|reset by peer)"
_API = re.compile(
    r"the server was unable to return a response in the time allotted|unable to handle the "
    r"request|context deadline exceeded.{0,80}/api"
    r"|(?:get|post|put|patch|delete|list) "
    r"\"?https?://[^\s\"]+(?::6443|:443)?/(?:api|apis)/[^\n]{0,200}"
    + _SILENT
    + r"|apiserver (?:is )?not (?:ready|reachable)",
    re.IGNORECASE,
)


def etcd_error(message: str) -> str:
    """`leader-changed`, `timeout`, `no-space`, `other`, or "" when the message has no word of
    etcd."""
    found = _ETCD.search(message)
    if found is None:
        return ""
    lowered = message.lower()
    if "leader" in lowered:
        return "leader-changed"
    if "space exceeded" in lowered:
        return "no-space"
    return (
        "timeout"
        if "timed out" in lowered or "timeout" in lowered or "unavailable" in lowered
        else "other"
    )


def api_error(message: str) -> bool:
    """Whether a component says that the API server did not answer it."""
    return _API.search(message) is not None


class MessageSigns(NamedTuple):
    """What a message reports about etcd, the API server and name look-ups, as `etcd_error`,
    `api_error` and `lookup_failure` return it."""

    etcd: str
    api: bool
    lookup: str


_HINTS = (
    "etcd",
    "raft: stopped",
    "mvcc: ",
    "unable to ",
    "deadline exceeded",
    "://",
    "apiserver",
    "lookup",
    "name resolution",
    "could not resolve",
    "name or service",
    "getaddrinfo",
    "eai_again",
)
"""A cheap filter: each text that the expressions match contains one of these in lower case."""


def message_signs(message: str) -> MessageSigns | None:
    """None for a message that reports none of them."""
    lowered = message.lower()
    for hint in _HINTS:
        if hint in lowered:
            found = MessageSigns(etcd_error(message), api_error(message), lookup_failure(message))
            return found if any(found) else None
    return None


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
