"""The measuring script of the mtu probe: the interface's MTU, and whether a large request passes
where a small one does.

Called as ``["sh", "-c", SHELL, "sh", ARGUMENT...]``. First line, options and printed lines follow
`assets/probe-protocol.json`. Arguments: ``timeout=S`` (default 5), ``size=BYTES`` (several) and
``HOST:PORT`` (several). Each try sends an HTTP/1.0 GET with two header lines of half that size,
which changes nothing at the target. Prints::

    {"event":"begin","v":1,"tool":"nc","mtu":1450,"interface":"eth0","counters":1}
    {"event":"try","n":1,"target":"10.1.2.3:8080","size":100,"ms":10,"rc":0,
     "opens":1,"fails":0,"retrans":0,"segs":6}      (one line)
    {"event":"end","count":1}

``opens``, ``fails``, ``retrans``, ``segs``: differences of Tcp ActiveOpens, AttemptFails,
RetransSegs, InSegs in the pod's namespace. Where a small request passes, and a large one is
repeated (two or more retrans) until the time limit, large packets are lost. The request is sent in
one write, so that its first packet is full: busybox nc copies its input in pieces of 1 KiB, which
never fill a packet, and a server that answers early would hide the loss. busybox nc therefore hands
the socket to the writer (``-e``).
"""

from __future__ import annotations

from collections.abc import Sequence

from probes.scripts.connectivity import compact
from probes.scripts.protocol import header

MARKER = header("mtu")
_SHELL = r"""
LC_ALL=C; export LC_ALL
limit=5; sizes=; targets=; n=0
for a; do
  case $a in
    timeout=*) limit=${a#*=} ;;
    size=*) sizes="$sizes ${a#*=}" ;;
    *=*) ;;
    *:*) targets="$targets $a" ;;
  esac
done
tool=none
all=1
for t in nc timeout dd; do command -v $t >/dev/null 2>&1 || all=0; done
[ $all = 0 ] || tool=nc
how=plain
[ $tool = none ] || case $(nc --help 2>&1; nc -h 2>&1) in *"-e PROG"*) how=e ;; esac
pad() {
  x=; while [ ${#x} -lt $((s/2)) ]; do x=${x}0123456789; done
  X=$x; export X
}
F='GET / HTTP/1.0\r\nX-A: %s\r\nX-B: %s\r\nConnection: close\r\n\r\n'; export F
request() { printf "$F" $X $X | dd obs=65536 2>/dev/null; }
send='printf "$F" $X $X | dd obs=65536 2>/dev/null; cat >/dev/null'
i=eth0; m=0
[ -r /sys/class/net/$i/mtu ] || for i in /sys/class/net/*; do
  i=${i##*/}; [ $i != lo ] && break
done
[ -r /sys/class/net/$i/mtu ] && read -r m </sys/class/net/$i/mtu
c1=0; c2=0; c3=0; c4=0; seen=0
pick() {
  for k in $h; do
    case $k in
      ActiveOpens) c1=$1 ;;
      AttemptFails) c2=$1 ;;
      RetransSegs) c3=$1 ;;
      InSegs) c4=$1 ;;
    esac
    shift
  done
}
count() {
  h=
  while read -r p r; do
    [ "$p" = Tcp: ] || continue
    if [ -z "$h" ]; then h=$r; else pick $r; h=; fi
  done </proc/net/snmp
}
if [ -r /proc/net/snmp ]; then seen=1; else count() { :; }; fi
now() { read -r u r </proc/uptime; f=${u#*.}; now=$(( ${u%.*}*1000 + (1$f-100)*10 )); }
a="\"mtu\":$m,\"interface\":\"$i\",\"counters\":$seen"
echo "{\"event\":\"begin\",\"v\":1,\"tool\":\"$tool\",$a}"
[ $tool = none ] || for t in $targets; do
  for s in $sizes; do
    host=${t%:*}; host=${host#[}; host=${host%]}
    count; b1=$c1; b2=$c2; b3=$c3; b4=$c4; now; t0=$now
    pad
    if [ $how = e ]; then timeout $limit nc "$host" ${t##*:} -e sh -c "$send" >/dev/null 2>&1
    else { request; sleep 1; } | timeout $limit nc "$host" ${t##*:} >/dev/null 2>&1; fi
    rc=$?; now; count; n=$((n+1))
    d="\"opens\":$((c1-b1)),\"fails\":$((c2-b2)),\"retrans\":$((c3-b3)),\"segs\":$((c4-b4))"
    a="\"target\":\"$t\",\"size\":$s,\"ms\":$((now-t0))"
    echo "{\"event\":\"try\",\"n\":$n,$a,\"rc\":$rc,$d}"
  done
done
echo "{\"event\":\"end\",\"count\":$n}"
"""

SHELL = f"{MARKER}\n{compact(_SHELL)}\n"


def command(targets: Sequence[str], sizes: Sequence[int], *, timeout_s: int = 5) -> tuple[str, ...]:
    """The argument vector for exec. `targets` come from `probes.scripts.connectivity.target`."""
    return (
        "sh",
        "-c",
        SHELL,
        "sh",
        f"timeout={timeout_s}",
        *(f"size={int(s)}" for s in sizes),
        *targets,
    )


def longest_run_s(targets: int, sizes: int, *, timeout_s: int = 5) -> float:
    """Upper bound in seconds."""
    return targets * sizes * (timeout_s + 2) + 5
