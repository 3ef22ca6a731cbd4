"""The measuring script of the connectivity probe. It is sent into a pod as an argument, so that it
needs no image of ours and leaves no file.

One exec for each source pod and round::

    ["sh", "-c", SHELL, "sh", ARGUMENT...]     # any image with a shell and nc, bash, perl or wget
    ["python3", "-c", PYTHON, ARGUMENT...]     # once a round has shown that python3 is there

First line, options and printed lines follow `assets/probe-protocol.json`. Arguments, from left to
right:

``tries=N``
    how often the whole list of targets is tried (default 1)
``gap=MS``
    pause after each connect, milliseconds (default 1100: senders limit ICMP errors to one a second)
``timeout=S``
    time limit of one connect, whole seconds (default 4: covers two lost SYNs)
``HOST:PORT``, ``[HOST]:PORT``
    a target: a name or an IPv4 address; an IPv6 address in brackets

It prints facts, which `probes.inference.classification` turns into verdicts::

    {"event":"begin","v":1,"tool":"nc","has":"python3 nc bash","counters":1}
    {"event":"idle","ms":500,"opens":0,"fails":0,"resets":0,"retrans":0,"segs":0,"unreach":0}
    {"event":"try","n":1,"target":"10.1.2.3:8080","at":1795254131,"ms":0,"said":"open","rc":0,
     "opens":1,"fails":0,"resets":0,"retrans":0,"segs":2,"unreach":0}      (one line)
    {"event":"end","count":1}

``begin``: the tool in use, the tools that exist, and whether ``/proc/net/snmp`` can be read (0: all
counters are 0).
``idle``: counter differences over a pause without a connect: other traffic in the pod's network
namespace.
``try``: `n` counts from 1 over the whole run; `target` as it was given; `at` seconds since the
epoch; `ms` duration (10 ms steps from the shell); `said` is one of ``open refused noroute
netunreach denied timeout noname missing other`` (the tool's words, folded); `rc` its exit code; the
rest are differences of the namespace's counters: Tcp ActiveOpens, AttemptFails, EstabResets,
RetransSegs, InSegs, Icmp and Icmp6 InDestUnreachs, and `six`, the share of Icmp6. From python also
``"icmp":"3/3","from":"10.99.0.2"``: type/code and sender of the ICMP error ("" without one). With
python an ICMP error ends the connect at once: ms ~0, retrans 0, unreach 1.
``end``: the number of ``try`` lines.

Fields by class (busybox nc, Linux 6.18, measured in network namespaces, see
tests/probes/test_lab.py):

===========================  ==========  =======  =====  =====  =======  ====  =======
what happened                said        ms       opens  fails  retrans  segs  unreach
===========================  ==========  =======  =====  =====  =======  ====  =======
accepted                     open        0-20     1      0      0        >=1   0
accepted, one SYN lost       open        ~1020    1      0      1        >=1   0
accepted, two SYNs lost      open        ~2050    1      0      2        >=1   0
closed port (RST)            refused     0-20     1      1      0        1     0
ICMP 3/3 on the way          refused     ~1010    1      1      1        0     2
ICMP 3/1, 3/10, 3/13         noroute     ~1010    1      1      1        0     2
ICMP 3/0, 3/9                netunreach  ~1010    1      1      1        0     2
ICMPv6 1/4                   refused     ~1030    1      1      1        0     2
ICMPv6 1/3                   noroute     ~1030    1      1      1        0     2
ICMPv6 1/0                   netunreach  ~1030    1      1      1        0     2
ICMPv6 1/1                   denied      ~1030    1      1      1        0     2
silent drop                  timeout     4000     1      0      >=2      0     0
no route in the pod itself   netunreach  0        0      0      0        0     0
name not found               noname      any      0      0      0        0     0
name server silent           timeout     4000     0      0      0        0     any
===========================  ==========  =======  =====  =====  =======  ====  =======
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from probes.scripts.protocol import header

MARKER = header("connectivity")

_SHELL = r"""
LC_ALL=C; export LC_ALL
tries=1; gap=1100; limit=4; targets=; has=; n=0
for a; do
  case $a in
    tries=*) tries=${a#*=} ;;
    gap=*) gap=${a#*=} ;;
    timeout=*) limit=${a#*=} ;;
    *=*) ;;
    *:*) targets="$targets $a" ;;
  esac
done
for t in python3 nc bash perl wget timeout; do
  command -v $t >/dev/null 2>&1 && has="$has $t"
done
has=${has# }
tool=none
case " $has " in
  *" nc "*)
    tool=nc
    u=$(nc --help 2>&1; nc -h 2>&1)
    case $u in
      *"-e PROG"*) how=e ;;
      *-z*) how=z ;;
      *) how=plain ;;
    esac ;;
  *" bash "*"timeout "*) tool=bash ;;
  *" perl "*) tool=perl ;;
  *" wget "*"timeout "*) tool=wget ;;
esac
pick() {
  p=$1; shift
  for k in $h; do
    case $p$k in
      Tcp:ActiveOpens) c1=$1 ;;
      Tcp:AttemptFails) c2=$1 ;;
      Tcp:EstabResets) c3=$1 ;;
      Tcp:RetransSegs) c4=$1 ;;
      Tcp:InSegs) c5=$1 ;;
      Icmp:InDestUnreachs) c6=$1 ;;
    esac
    shift
  done
}
count() {
  h=
  while read -r p r; do
    case $p in
      Tcp:|Icmp:) if [ -z "$h" ]; then h=$r; else pick $p $r; h=; fi ;;
    esac
  done </proc/net/snmp
  [ -r /proc/net/snmp6 ] || return 0
  while read -r p r; do
    [ $p = Icmp6InDestUnreachs ] && c7=$r
  done </proc/net/snmp6
  return 0
}
c1=0; c2=0; c3=0; c4=0; c5=0; c6=0; c7=0
seen=0
if [ -r /proc/net/snmp ]; then seen=1; else count() { :; }; fi
mark() { count; b1=$c1; b2=$c2; b3=$c3; b4=$c4; b5=$c5; b6=$c6; b7=$c7; }
delta() {
  count
  d="\"opens\":$((c1-b1)),\"fails\":$((c2-b2)),\"resets\":$((c3-b3))"
  d="$d,\"retrans\":$((c4-b4)),\"segs\":$((c5-b5))"
  d="$d,\"unreach\":$((c6-b6+c7-b7)),\"six\":$((c7-b7))"
}
now() { read -r i r </proc/uptime; f=${i#*.}; now=$(( ${i%.*}*1000 + (1$f-100)*10 )); }
rest() {
  s=$1; [ $s -ge 100 ] || return 0
  sleep ${s%???}.${s#${s%???}} 2>/dev/null || sleep $(( (s+999)/1000 ))
}
guard() { case " $has " in *" timeout "*) timeout $((limit+1)) "$@" ;; *) "$@" ;; esac; }
go() {
  case $tool in
    nc)
      case $how in
        e) guard nc -w $limit "$1" $2 -e true </dev/null ;;
        z) guard nc -z -v -w $limit "$1" $2 </dev/null ;;
        *) guard nc -w $limit "$1" $2 </dev/null ;;
      esac ;;
    bash) timeout $limit bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" $2 ;;
    perl)
      perl -e 'my($h,$p,$t)=@ARGV;my$m="IO::Socket::IP";
        eval "require $m" or $m="IO::Socket::INET" and eval "require $m";
        exit 0 if $m->new(PeerAddr=>$h,PeerPort=>$p,Timeout=>$t);
        print STDERR "$@ $!";exit 1' "$1" $2 $limit ;;
    wget) timeout $limit wget -q -T $limit -O /dev/null "http://$3/" ;;
    *) return 127 ;;
  esac
}
echo "{\"event\":\"begin\",\"v\":1,\"tool\":\"$tool\",\"has\":\"$has\",\"counters\":$seen}"
mark; rest 500; delta
echo "{\"event\":\"idle\",\"ms\":500,$d}"
j=0
while [ $j -lt $tries ]; do
  j=$((j+1))
  for t in $targets; do
    case $t in
      *[!a-zA-Z0-9._:%/[-]*) case $t in *]:*) ;; *) continue ;; esac ;;
    esac
    host=${t%:*}; port=${t##*:}; host=${host#[}; host=${host%]}
    mark; now; t0=$now
    o=$(go "$host" "$port" "$t" 2>&1 >/dev/null); rc=$?
    now; ms=$((now-t0)); delta
    n=$((n+1))
    case $o in
      *refused*) said=refused ;;
      *"No route"*|*"Host is unreachable"*) said=noroute ;;
      *"etwork is unreachable"*|*"assign requested"*) said=netunreach ;;
      *"ermission denied"*) said=denied ;;
      *"imed out"*|*imeout*|*"in progress"*) said=timeout ;;
      *"bad address"*|*"not known"*|*resolve*) said=noname ;;
      *"Name does not"*|*"Bad hostname"*|*"Temporary failure"*) said=noname ;;
      *"not found"*) said=missing ;;
      *) said=other
        if [ $rc = 0 ]; then said=open
        elif [ $rc = 124 ] || [ $rc = 143 ] || [ $rc = 137 ]; then said=timeout
        elif [ $rc = 127 ]; then said=missing; fi ;;
    esac
    a="\"target\":\"$t\",\"at\":$(date +%s),\"ms\":$ms"
    echo "{\"event\":\"try\",\"n\":$n,$a,\"said\":\"$said\",\"rc\":$rc,$d}"
    rest $gap
  done
done
echo "{\"event\":\"end\",\"count\":$n}"
"""

_PYTHON = r"""
import errno,json,socket,sys,time
o={'tries':1,'gap':1100,'timeout':4};T=[]
for a in sys.argv[1:]:
 k,s,v=a.partition('=')
 if s:
  if k in o:o[k]=int(v)
 elif ':' in a:T.append(a)
W=('Tcp:ActiveOpens','Tcp:AttemptFails','Tcp:EstabResets','Tcp:RetransSegs','Tcp:InSegs',
 'Icmp:InDestUnreachs')
N=('opens','fails','resets','retrans','segs','unreach')
def count():
 c={}
 try:
  L=[l.split() for l in open('/proc/net/snmp')]
  for h,v in zip(L[::2],L[1::2]):
   for k,x in zip(h[1:],v[1:]):c[h[0]+k]=int(x)
  for l in open('/proc/net/snmp6'):
   k,x=l.split()
   if k=='Icmp6InDestUnreachs':c[W[5]]=c.get(W[5],0)+int(x)
 except (OSError,ValueError):pass
 return [c.get(k,0) for k in W]
def say(**k):print(json.dumps(k,separators=(',',':')),flush=True)
def diff(b):return dict(zip(N,[x-y for x,y in zip(count(),b)]))
S={errno.ECONNREFUSED:'refused',errno.EHOSTUNREACH:'noroute',errno.ENETUNREACH:'netunreach',
 errno.ETIMEDOUT:'timeout',errno.EACCES:'denied',errno.EADDRNOTAVAIL:'netunreach'}
def go(t):
 h,_,p=t.rpartition(':');h=h.strip('[]')
 try:f,y,r,_,a=socket.getaddrinfo(h,int(p),0,socket.SOCK_STREAM)[0]
 except (OSError,ValueError):return 'noname',1,'',''
 s=socket.socket(f,y,r);s.settimeout(o['timeout'])
 six=f==socket.AF_INET6
 l,e=(41,25) if six else (0,11)
 try:s.setsockopt(l,e,1)
 except OSError:pass
 said,rc,icmp,who='open',0,'',''
 try:s.connect(a)
 except socket.timeout:said,rc='timeout',110
 except OSError as x:said,rc=S.get(x.errno,'other'),x.errno or 1
 s.setblocking(False)
 try:
  _,m,_,_=s.recvmsg(1,512,0x2000)
  for L,y,d in m:
   if (L,y)==(l,e) and d[4] in (2,3):
    icmp='%d/%d'%(d[5],d[6]);who=socket.inet_ntop(f,d[24:40] if six else d[20:24])
 except OSError:pass
 s.close()
 return said,rc,icmp,who
say(event='begin',v=1,tool='python3',has='python3',counters=int(any(count())))
b=count();time.sleep(.5);say(event='idle',ms=500,**diff(b))
n=0
for _ in range(o['tries']):
 for t in T:
  b=count();t0=time.monotonic();said,rc,icmp,who=go(t);n+=1
  ms=int((time.monotonic()-t0)*1000)
  say(event='try',n=n,target=t,at=int(time.time()),ms=ms,said=said,rc=rc,**diff(b),icmp=icmp,
   **{'from':who})
  time.sleep(o['gap']/1000)
say(event='end',count=n)
"""


def compact(text: str) -> str:
    """Removes the indentation: the command travels in a URL, which proxies cut at 8 KiB."""
    return "\n".join(line.strip() for line in text.strip().splitlines())


SHELL = f"{MARKER}\n{compact(_SHELL)}\n"
PYTHON = f"{MARKER}\n{_PYTHON.strip()}\n"

_HOST = re.compile(
    r"^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9.])?|\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9]+)?\])$"
)


def target(host: str, port: int) -> str:
    """`HOST:PORT` as the script reads it, IPv6 in brackets. Raises ValueError unless `host` is a
    plain host name or address."""
    shown = f"[{host}]" if ":" in host and not host.startswith("[") else host
    if not _HOST.match(shown):
        raise ValueError(
            f"{host!r} is neither a host name nor an address; give a Service, a pod or an IP "
            "address"
        )
    if not 1 <= port <= 65535:
        raise ValueError(f"port {port} is not between 1 and 65535")
    return f"{shown}:{port}"


def command(
    targets: Sequence[str],
    *,
    tries: int = 1,
    gap_ms: int = 1100,
    timeout_s: int = 4,
    python: bool = False,
) -> tuple[str, ...]:
    """The argument vector for exec. `targets` come from `target`."""
    options = (f"tries={tries}", f"gap={gap_ms}", f"timeout={timeout_s}")
    if python:
        return ("python3", "-c", PYTHON, *options, *targets)
    return ("sh", "-c", SHELL, "sh", *options, *targets)


def longest_run_s(targets: int, *, tries: int, gap_ms: int = 1100, timeout_s: int = 4) -> float:
    """Upper bound for one exec in seconds: every connect times out, with one second of grace."""
    return targets * tries * (timeout_s + 1 + gap_ms / 1000) + 5
