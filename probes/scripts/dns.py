"""The measuring script of the dns probe: times look-ups with the container's own nslookup (busybox
or bind).

Called as ``["sh", "-c", SHELL, "sh", ARGUMENT...]``. First line, options and printed lines follow
`assets/probe-protocol.json`. Arguments: ``tries=N``, ``gap=MS``, ``timeout=S`` (whole seconds,
default 6: a resolver's first time-out is 5), ``server=ADDRESS`` (several; ``-`` uses the pod's own
configuration) and ``name=NAME`` (several). Prints::

    {"event":"begin","v":1,"tool":"nslookup","has":"nslookup timeout"}
    {"event":"conf","nameservers":"10.96.0.10","search":"svc.cluster.local","options":"ndots:5"}
    {"event":"try","n":1,"server":"10.96.0.10","name":"kubernetes.default","at":1795254131,
     "ms":10,"said":"found","rc":0}      (one line)
    {"event":"end","count":1}

A server or name that timed out twice and never answered is not asked again: five rounds of
time-outs would last minutes and show nothing new. ``end`` counts the look-ups.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from probes.scripts.connectivity import compact
from probes.scripts.protocol import header

MARKER = header("dns")

_SHELL = r"""
LC_ALL=C; export LC_ALL
tries=1; gap=100; limit=6; servers=; names=; has=; n=0
for a; do
  case $a in
    tries=*) tries=${a#*=} ;;
    gap=*) gap=${a#*=} ;;
    timeout=*) limit=${a#*=} ;;
    server=*) servers="$servers ${a#*=}" ;;
    name=*) names="$names ${a#*=}" ;;
  esac
done
for t in nslookup timeout; do
  command -v $t >/dev/null 2>&1 && has="$has $t"
done
tool=none
case "$has" in *nslookup*) tool=nslookup ;; esac
echo "{\"event\":\"begin\",\"v\":1,\"tool\":\"$tool\",\"has\":\"${has# }\"}"
ns=; se=; op=
if [ -r /etc/resolv.conf ]; then
  while read -r k v; do
    v=${v%%[!a-zA-Z0-9.:% _-]*}
    case $k in
      nameserver) ns="$ns $v" ;;
      search) se=$v ;;
      options) op="$op $v" ;;
    esac
  done </etc/resolv.conf
fi
echo "{\"event\":\"conf\",\"nameservers\":\"${ns# }\",\"search\":\"$se\",\"options\":\"${op# }\"}"
now() { read -r i r </proc/uptime; f=${i#*.}; now=$(( ${i%.*}*1000 + (1$f-100)*10 )); }
rest() {
  w=$1; [ $w -ge 100 ] || return 0
  sleep ${w%???}.${w#${w%???}} 2>/dev/null || sleep $(( (w+999)/1000 ))
}
guard() { case "$has" in *timeout*) timeout $limit "$@" ;; *) "$@" ;; esac; }
j=0
once=' '; dead=' '; alive=' '
while [ $j -lt $tries ] && [ $tool != none ]; do
  j=$((j+1))
  for s in $servers; do
    for q in $names; do
      case "$dead" in *" $s "*|*" $s/$q "*) continue ;; esac
      now; t0=$now
      if [ "$s" = - ]; then o=$(guard nslookup "$q" 2>&1); rc=$?
      else o=$(guard nslookup "$q" "$s" 2>&1); rc=$?; fi
      now; n=$((n+1))
      case $o in
        *NXDOMAIN*|*"can't resolve"*) said=noname ;;
        *SERVFAIL*) said=servfail ;;
        *REFUSED*) said=refused ;;
        *"onnection refused"*) said=closed ;;
        *"timed out"*|*"no servers"*) said=timeout ;;
        *"not found"*) said=missing ;;
        *) said=other
          if [ $rc = 0 ]; then said=found
          elif [ $rc = 124 ] || [ $rc = 143 ] || [ $rc = 137 ]; then said=timeout; fi ;;
      esac
      if [ $said = timeout ]; then
        for k in "$s" "$s/$q"; do
          case "$alive" in *" $k "*) continue ;; esac
          case "$once" in *" $k "*) dead="$dead$k " ;; *) once="$once$k " ;; esac
        done
      else alive="$alive$s $s/$q "; fi
      a="\"server\":\"$s\",\"name\":\"$q\",\"at\":$(date +%s),\"ms\":$((now-t0))"
      echo "{\"event\":\"try\",\"n\":$n,$a,\"said\":\"$said\",\"rc\":$rc}"
      rest $gap
    done
  done
done
echo "{\"event\":\"end\",\"count\":$n}"
"""

SHELL = f"{MARKER}\n{compact(_SHELL)}\n"
_NAME = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9.])?$")


def command(
    servers: Sequence[str],
    names: Sequence[str],
    *,
    tries: int = 1,
    gap_ms: int = 100,
    timeout_s: int = 6,
) -> tuple[str, ...]:
    """The argument vector for exec. Raises ValueError for a server that is neither an address nor
    "-", and for a name that is not a host name."""
    for server in servers:
        if server != "-":
            ipaddress.ip_address(server)
    for name in names:
        if not _NAME.match(name):
            raise ValueError(f"{name!r} is not a host name; write it as example.org.")
    options = (f"tries={tries}", f"gap={gap_ms}", f"timeout={timeout_s}")
    return (
        "sh",
        "-c",
        SHELL,
        "sh",
        *options,
        *(f"server={s}" for s in servers),
        *(f"name={n}" for n in names),
    )


def longest_run_s(
    servers: int, names: int, *, tries: int, gap_ms: int = 100, timeout_s: int = 6
) -> float:
    """Upper bound in seconds."""
    return servers * names * tries * (timeout_s + 1 + gap_ms / 1000) + 5
