"""Egress: connections to one outside address that the user gives, from two nodes and a control
namespace.

Measured like connectivity, one connect at a time, so that a failing gateway gets few. Faults that
need many concurrent connections (races in SNAT) are not seen; connects of one or three seconds hint
at them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from probes.context import ProbeContext
from probes.definition import Probe
from probes.pods.preparation import check_method
from probes.questions.connectivity import plan_for, run
from probes.result import Destination, ProbePlan
from probes.select.names import HOST_NAME, Unusable, check_dialled, port_number
from probes.select.sources import find_sources
from probes.select.targets import Targets

NAME = "egress"
QUESTION = "Can pods reach this address outside, from every node and namespace alike?"
PARAMETERS = {
    "namespace": "(required) NAMESPACE or NAMESPACE/POD to measure from",
    "target": "(required) HOST:PORT outside of the cluster",
    "image": "image for the probe pods",
    "control": "namespace to compare with, or none",
    "how": "pod, exec or ephemeral",
}


async def plan(context: ProbeContext, arguments: Mapping[str, str]) -> ProbePlan:
    given = {key: value for key, value in arguments.items() if value}
    check_method(context, given.get("how", ""))
    targets = Targets((_target(given.get("target", "")),))
    sources = find_sources(
        context.store, given.get("namespace", ""), targets, control=given.get("control", "")
    )
    return await plan_for(context, NAME, QUESTION, given, targets, sources)


def _target(text: str) -> Destination:
    host, _, port = text.strip().rpartition(":")
    if not host or (":" in host) is not (host.startswith("[") and host.endswith("]")):
        outside = "203.0.113.9:443 or [2001:db8::1]:443"
        raise Unusable(
            f"Target {text!r} is not HOST:PORT; give an address outside that should answer, such "
            f"as {outside}."
        )
    host = host.strip("[]").lower()
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        if not HOST_NAME.match(host):
            raise Unusable(
                f"{host!r} is neither an address nor a host name; give one without spaces and "
                "signs."
            ) from None
    else:
        check_dialled(ip)
    return Destination("", "", "", host, port_number(port, host))


PROBE = Probe(NAME, QUESTION, PARAMETERS, plan, run, creates=True)
