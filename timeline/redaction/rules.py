"""Patterns of secrets in the output of a cluster: key names first, then shapes.

Made for what an incident shows (describe, env dumps, logs, kubeconfig, Helm and database command
lines), where general scanners miss most. No rule uses entropy, so uids, digests and pod hashes
stay.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import re
from typing import Final

KUBERNETES_SHAPE: Final = re.compile(
    r"(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # uid
    r"|(?:[\w./:-]+@)?sha(?:256|512):[0-9a-f]{32,128}"  # digest
    r"|(?:containerd|docker|cri-o)://[0-9a-f]{64}"  # container id
    r"|00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]"  # traceparent
    # generated name
    r"|[a-z0-9](?:[a-z0-9-]{0,60}-)[bcdfghjklmnpqrstvwxz2456789]{5,10}(?:-[bcdfghjklmnpqrstvwxz245"
    r"6789]{5})?)"
)
"""Identifiers that Kubernetes generates; never secrets by their shape."""


def _words(alternatives: str) -> frozenset[str]:
    """The words between the bars."""
    return frozenset(alternatives.split("|"))


_STRONG: Final = re.compile(
    r"passw|passphrase|passcode|secret|credential|apikey|privatekey|accesskey|authkey|keydata"
    r"|dockerc(?:onfig|fg)",
    re.I,
)
_WORDS: Final = _words("pass|pwd|pw|token|authorization|cookie|dsn|bearer|jwt|otp|sig|signature")
_PAIRS: Final = _words(
    "api key|access key|private key|secret key|signing key|encryption key|account key|auth key|"
    "key data|session key|master key|shared key|conn string|connection string|conn str|"
    "webhook url"
)
_NOT_VALUES: Final = _words(
    "name|names|ref|refs|path|paths|file|files|dir|seconds|ttl|expiry|expires|expiration|age|"
    "count|version|type|namespace|namespaces|id|uid|length|policy|enabled|mount|volume|format|"
    "provider|issuer|audience|endpoint|server|cleaner|controller|review|reviews|request|"
    "requests|revision|class|store|selector|keys|rotation|change|changes|lost|found|missing|"
    "mode|modes|plugin|plugins|status|state|source|method|methods|scheme|level|backend|header|"
    "domain|size|limit|timeout|interval|duration|period|error|errors|failure|failures|attempts|"
    "manager|service|driver|operator|user|username|group|port|address|cache|reason|message"
)
_SPLIT: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")

PLACEHOLDERS: Final = _words(
    "true|false|null|none|nil|required|invalid|missing|empty|expired|unset|undefined|redacted|"
    "forbidden|unknown|not|is|was|has|incorrect|wrong|denied|failed|rejected|unauthorized|"
    "string|optional|secret|configmap|changed|rotated|found|authentication|auth|token|tokens|"
    "password|yes|no|ok|error|default|disabled|enabled|off|on|auto|automatic|manual|strict|lax|"
    "valid|present|absent|set|never|always|allow|allowed|deny|basic|bearer|rbac|node|webhook|x509|"
    "oidc|ldap|mtls|tls|ready|healthy|pending|n/a|mismatch|mismatched|unchanged|removed|deleted|"
    "revoked|renewed|accepted|skipped|passed|checked|old|new|same|wrong|right|correct"
)


def is_secret_key(key: str) -> bool:
    """Whether the value of a field, variable or flag with this name is a secret (``DB_PASSWORD``
    yes, ``secretName`` no)."""
    words = [word.lower() for word in _SPLIT.findall(key)]
    while words and words[-1].isdigit():
        words.pop()
    if not words or words[-1] in _NOT_VALUES or words == ["secrets"]:
        return False
    if (
        words[-1] == "secrets"
        or words[-1] == "tokens"
        or (words[-1] == "key" and words[-2:-1] in (["public"], ["ref"]))
    ):
        return False
    if any(_STRONG.search(word) for word in words) or any(word in _WORDS for word in words):
        return True
    if words[-1].endswith(("token", "pwd", "pass", "pw")) and words[-1] not in (
        "bypass",
        "compass",
    ):
        return True
    return any(f"{first} {second}" in _PAIRS for first, second in itertools.pairwise(words))


def kind_of_key(key: str) -> str:
    """The type that a token shows for the value of this key."""
    lowered = key.lower()
    for stem, kind in (
        ("pass", "PASSWORD"),
        ("pwd", "PASSWORD"),
        ("token", "TOKEN"),
        ("cookie", "COOKIE"),
        ("dsn", "DSN"),
        ("conn", "DSN"),
    ):
        if stem in lowered:
            return kind
    if "key" in lowered:
        return "KEY"
    return "SECRET"


def is_placeholder(value: str) -> bool:
    """A value that means "none", refers elsewhere, or was redacted already."""
    bare = value.strip("\"'\\.,;:!)")
    return not bare or bare.lower() in PLACEHOLDERS or bare[0] in "<$*⟦{[(" or bare.startswith("…")


def looks_random(value: str) -> bool:
    """A value that is neither an ordinary word nor a number: for keys that occur in prose too
    ("failed to get token: Post ...")."""
    if len(value) < 6 or value.isdigit() or "://" in value or "/" in value:
        return False
    letters = any(c.isalpha() for c in value)
    inner_capital = any(c.isupper() for c in value[1:]) and any(c.islower() for c in value)
    return (
        (letters and any(c.isdigit() for c in value))
        or inner_capital
        or any(c in "!@#$%^&*+=~" for c in value)
    )


_NO_PASSWORD: Final = _words(
    "a|an|the|in|on|at|by|to|for|of|from|with|also|still|too|very|only|just|all|both|what|that|"
    "this|it|here|there|gone|stale|short|long|weak|strong|blank|fine|good|bad|known|stolen|shown|"
    "sent|public|secure|safe|plain|plaintext|admin|root|stored|kept|hidden|broken|written|given"
)


def is_password_word(value: str) -> bool:
    """Whether the word after "the password was" is the password, and not what happened to it
    ("changed", "too short")."""
    bare = value.strip("\"'`.,;:!?)")
    if len(bare) < 3 or is_placeholder(bare) or bare.lower() in _NO_PASSWORD:
        return False
    return looks_random(bare) or not bare.lower().endswith(("ed", "ing", "able", "ible", "ly"))


# Quoted; quoted inside a JSON string; a quote that is never closed; bare. No part can match in two
# ways, so time stays linear.
_VALUE: Final = (
    r"""(?:"(?:[^"\\\n]|\\.){0,8192}"|\\{1,3}"[^"\n]{0,8192}"|'[^'\n]{0,8192}'"""
    r"""|\\{0,3}["'][^\s"']{1,8192}|[^\s,;&"'}\]\\][^\s,;&"'}\]]*)"""
)
_STEMS: Final = (
    "pass pwd pw secret token api[_.-]?key access[_.-]?key private[_.-]?key signing[_.-]?key "
    "encryption[_.-]?key account[_.-]?key "
    "auth[_.-]?key master[_.-]?key shared[_.-]?key session[_.-]?key key-?data credential "
    "authorization cookie dsn conn webhook sig jwt "
    "otp bearer dockerc"
)
_STEM: Final = _STEMS.replace(" ", "|")

ASSIGNMENT: Final = re.compile(
    rf"""(?<![\w.\-⟦])(?P<key>[\w.\-]{{0,64}}?(?:{_STEM})[\w.\-]{{0,64}}?)(?P<sep>\\{{0,3}}["']?"""
    rf"""\s{{0,64}}(?:=>|:=|=|:)\s{{0,64}})(?P<value>{_VALUE})""",
    re.I,
)
ENV_LINE: Final = re.compile(
    r"^(?P<lead>\s*(?:export\s+|-\s+)?)(?P<key>[A-Za-z_][A-Za-z0-9_]{0,80})=(?P<value>[^\n]+)$",
    re.M,
)
FLAG: Final = re.compile(
    rf"(?<![\w-])(?P<key>--?[\w-]*(?:password|passwd|token|secret|api-?key"
    rf"|credential)[\w-]*)(?P<sep>\s+)(?P<value>(?!-){_VALUE})",
    re.I,
)
NAME_VALUE: Final = re.compile(
    r"""(?P<lead>\bname\\{0,3}["']?\s{0,64}:\s{0,64}\\{0,3}["']?(?P<key>[\w.\-]{1,128})\\{0,3}["']?"""
    r"""\s{0,64},?\s{0,64}\\{0,3}["']?value\\{0,3}["']?\s{0,64}:\s{0,64})(?P<value>"""
    + _VALUE
    + ")",
    re.I,
)
SPOKEN: Final = re.compile(
    r"\b(?P<key>(?:pass(?:word|phrase|code)|passwd|pwd|pin|secret|token|(?:api|access|private) key"
    r"|credentials?)\b)(?: (?:for|of|on|to)(?: [\w./-]{1,40}){1,4}?)?"
    r"(?P<sep> (?:is|was|are|were|now|being)(?: now)?(?: set to| changed to| reset to)? | = )"
    r"(?P<value>[\"'`]?[^\s\"'`]{3,200}[\"'`]?)",
    re.I,
)
"""A secret in a sentence: "the password was X"."""
LOGIN: Final = re.compile(
    r"\b(?:cred(?:ential)?s?|log(?:in|ged in)|sign(?:ed)? in|user(?:name)?[ /]pass(?:word)?)\b"
    r"[^\n]{0,24}?\b[\w.@-]{2,40} ?[/:] ?(?P<value>(?![\w.-]{1,63}=\w)[^\s/:,;]{4,80})",
    re.I,
)
"""A name and a password in a sentence: "logged in as admin/hunter2". Not a label:
"app.kubernetes.io/name=shop"."""
PEM: Final = re.compile(
    r"-----BEGIN (?P<what>[A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?)-----"
    r"(?:(?:(?!-----BEGIN)[\s\S]){0,20000}?-----END (?P=what)-----|(?:[A-Za-z0-9+/=\s]|\\[nr])*)"
)

PEM_BODY: Final = re.compile(
    r"(?<![A-Za-z0-9+/])(?:MII[A-Za-z0-9+/]{3}IBA[AD]|MI[GH][A-Za-z0-9+/]AgE|MH[cg]CAQEE"
    r"|MIGkAgEBBD|MC4CAQAwBQYDK2V|b3BlbnNzaC1rZXkt)[A-Za-z0-9+/=]{16,}"
    r"(?:(?:\s|\\n){1,4}[A-Za-z0-9+/=]{8,})*"
)
"""The body of a private key without its BEGIN line: the first bytes of the DER of PKCS #1, PKCS #8,
SEC 1, Ed25519 and OpenSSH keys in base 64."""

SHAPES: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    # The secret is each pattern's group "s", or else the whole match.
    ("JWT", re.compile(r"\beyJ[\w-]{8,}\.[\w-]{6,}(?:\.[\w-]*)?")),
    ("DOCKER_AUTH", re.compile(r"\beyJhdXRocyI6[A-Za-z0-9+/=]+")),
    (
        "DOCKER_AUTH",
        re.compile(
            r"""(?<![\w-])auth\\{0,3}["']?\s*:\s*\\{0,3}["']?(?P<s>[A-Za-z0-9+/]{8,}={0,2})"""
        ),
    ),
    ("PRIVATE_KEY", re.compile(r"\bLS0tLS1CRUdJTi(?!BDRVJU)[A-Za-z0-9+/=]{16,}")),
    (
        "BASIC_AUTH",
        re.compile(
            r"(?i)\bauthorization\\{0,3}[\"']?\s*[:=]\s*\\{0,3}[\"']?(?:basic|bearer|token|digest"
            r"|negotiate|aws4-hmac-sha256)\s+(?P<s>[^\s\"'\\]+)"
        ),
    ),
    (
        "BEARER",
        re.compile(r"(?i)\bbearer\s+(?P<s>(?=[\w.~+/=-]*\d)[\w.~+/=-]{8,}|[\w.~+/=-]{24,})"),
    ),
    (
        "COOKIE",
        re.compile(
            r"(?i)\b(?:set-)?cookie\\{0,3}[\"']?\s*:\s*\\{0,3}[\"']?"
            r"(?P<s>[^\s=\"'\\]+=[^\n\"'\\]+)"
        ),
    ),
    (
        "URL_PASSWORD",
        re.compile(r"(?i)\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"'<>]*:(?P<s>[^\s\"'<>/]+)@"),
    ),
    ("URL_PASSWORD", re.compile(r"(?i)\b[a-z][a-z0-9+.-]{1,20}://(?P<s>[\w.~%-]{20,})@")),
    ("DSN_PASSWORD", re.compile(r"\b[\w.-]{1,64}:(?P<s>[^\s@:/\"'⟦⟧]+)@(?:tcp|udp|unix)\(")),
    ("WEBHOOK", re.compile(r"(?i)hooks\.slack\.com/(?:services|workflows)/(?P<s>[\w/]{16,})")),
    ("WEBHOOK", re.compile(r"(?i)discord(?:app)?\.com/api/webhooks/(?P<s>\d+/[\w-]{16,})")),
    (
        "BOOTSTRAP_TOKEN",
        re.compile(r"(?<![\w.-])(?P<s>[a-z0-9]{6}\.(?=[a-z0-9]*\d)[a-z0-9]{16})(?![\w.-]*\w)"),
    ),
    ("OPENSHIFT_TOKEN", re.compile(r"\bsha256~[\w-]{40,}")),
    (
        "RANCHER_TOKEN",
        re.compile(r"\b(?:kubeconfig-[\w-]+|token-[a-z0-9]{5}):(?P<s>[a-z0-9]{50,})"),
    ),
    (
        "AWS_SECRET",
        re.compile(
            r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b[\s\S]{1,80}?(?<![A-Za-z0-9+/])"
            r"(?P<s>[A-Za-z0-9+/]{40})(?![A-Za-z0-9+/=])"
        ),
    ),
    ("AWS_KEY", re.compile(r"\b(?:AKIA|ASIA|AROA|AIDA|ABIA)[0-9A-Z]{16}\b")),
    ("GITHUB_TOKEN", re.compile(r"\b(?:gh[opusr]_[A-Za-z0-9]{30,}|github_pat_\w{22,})")),
    ("GITLAB_TOKEN", re.compile(r"\bgl(?:pat|rt|dt|cbt|ptt|ft|soat|agent)-[\w-]{20,}")),
    ("SLACK_TOKEN", re.compile(r"\bxox[abeoprs]-[\w-]{10,}|\bxapp-[\w-]{10,}")),
    ("STRIPE_KEY", re.compile(r"\b(?:sk|rk|whsec)_(?:live_|test_)?[A-Za-z0-9]{16,}")),
    ("SENDGRID_KEY", re.compile(r"\bSG\.[\w-]{16,}\.[\w-]{16,}")),
    ("GOOGLE_KEY", re.compile(r"\bAIza[\w-]{35}|\bya29\.[\w-]{20,}|\bGOCSPX-[\w-]{20,}")),
    ("NPM_TOKEN", re.compile(r"\bnpm_[A-Za-z0-9]{36}")),
    ("PACKAGE_TOKEN", re.compile(r"\bpypi-AgE[\w-]{40,}")),
    ("VAULT_TOKEN", re.compile(r"\bhv[sbr]\.[\w-]{20,}|(?<![\w.])[sbr]\.[A-Za-z0-9]{24}\b")),
    ("DIGITALOCEAN_TOKEN", re.compile(r"\bdo[opr]_v1_[0-9a-f]{64}")),
    ("DOCKER_TOKEN", re.compile(r"\bdckr_(?:pat|oat)_[\w-]{20,}")),
    ("MODEL_KEY", re.compile(r"\bsk-(?:ant-|proj-|svcacct-)?[\w-]{32,}")),
    ("AZURE_KEY", re.compile(r"(?i)\b(?:AccountKey|SharedAccessKey)=(?P<s>[A-Za-z0-9+/=]{20,})")),
    ("AGE_KEY", re.compile(r"\bAGE-SECRET-KEY-1[0-9A-Z]{50,}")),
    (
        "VENDOR_TOKEN",
        re.compile(
            r"\b(?:shpat_|sntrys_|sntryu_|glsa_|glc_|lin_api_|xkeysib-|dapi|NRAK-|hf_|tfp_"
            r"|atlasv1\.)[\w-]{20,}"
        ),
    ),
    ("TELEGRAM_TOKEN", re.compile(r"\b\d{8,10}:AA[\w-]{33}\b")),
    (
        "PASSWORD",
        re.compile(
            r"\b(?:mysql|mysqldump|mysqladmin|mysqlsh|mariadb|mariadb-dump|mysqlcheck)\b[^\n"
            r"|;]{0,200}?\s-p(?P<s>[^\s\"';|]+)"
        ),
    ),
    (
        "PASSWORD",
        re.compile(r"\bsshpass\s+-p\s*(?P<s>\S+)|\bredis-cli\b[^\n|;]{0,120}?\s-a\s*(?P<s2>\S+)"),
    ),
    (
        "PASSWORD",
        re.compile(
            r"\b(?:docker|podman|nerdctl|helm "
            r"registry|crane|skopeo)\s+(?:auth\s+)?login\b[^\n|;]{0,200}?\s-p[\s=]*(?P<s>\S+)"
        ),
    ),
    (
        "BASIC_AUTH",
        re.compile(
            r"\b(?:curl|wget|http)\b[^\n|;]{0,200}?\s(?:-u"
            r"|--user)[\s=]*[\"']?[^\s:\"']+:(?P<s>[^\s\"']+)"
        ),
    ),
    (
        "SECRET",
        re.compile(r"--from-literal[=\s][\"']?[\w.\-]+=(?P<s>\"[^\"\n]*\"|'[^'\n]*'|[^\s\"']+)"),
    ),
)
_BASIC: Final = re.compile(r"(?i)\bbasic\s+(?P<s>[A-Za-z0-9+/]{8,}={0,2})")


def is_basic(value: str) -> bool:
    """Whether this is base 64 of ``user:password``."""
    try:
        decoded = base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return b":" in decoded and decoded.isascii()


def basic_credentials(text: str) -> list[tuple[int, int]]:
    """Spans of base 64 after the word "basic" that decode to user:password."""
    return [match.span("s") for match in _BASIC.finditer(text) if is_basic(match["s"])]
