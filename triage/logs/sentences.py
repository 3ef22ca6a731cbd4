"""Sentences that programs write before they give up, by class. The first class in the table with a
matching pattern wins, so narrow ones come first.

Sources: the error texts of the programs and drivers named in `tests/triage/logs/corpus.txt`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from triage.logs.translations import TRANSLATED

CLASSES: Mapping[str, str] = {
    "too-many-connections": "no connection is left",
    "peer-memory-full": "what it writes to has no memory left",
    "credentials-refused": "its credentials are refused",
    "name-not-found": "a name is not found",
    "unreachable": "what it needs cannot be reached",
    "clock-wrong": "its clock differs from that of its peer",
    "tls-refused": "a certificate or TLS is refused",
    "api-forbidden": "it may not do what it tries",
    "migration-failed": "its database does not have the expected state",
    "kind-missing": "the API server does not know a kind",
    "port-in-use": "its port is in use",
    "too-many-files": "the limit of open files or watches is reached",
    "disk-full": "its disk is full",
    "read-only": "it may only read",
    "locked": "another instance holds the lock",
    "data-damaged": "its data is damaged",
    "incompatible": "it does not fit its machine, its libraries or its data",
    "permission-denied": "it may not open a file or port",
    "variable-missing": "a variable is missing",
    "file-missing": "a file or program is missing",
    "config-invalid": "its configuration is not understood",
    "no-threads": "it may start no further thread or process",
    "out-of-memory": "its memory is used up inside",
    "panic": "it ends with an error of its own",
}
"""Class -> what it means."""

_PATTERNS: Mapping[str, tuple[str, ...]] = {
    "too-many-connections": (
        r"too many (?:open |database |active |client )?(?:connections|clients)",
        r"connection slots are reserved",
        r"max(?:imum)? number of (?:clients|connections) (?:has been )?(?:reached|exceeded)",
        r"exceeded the 'max_user_connections'",
        r"max_\w*connections.{0,40}(?:reached|exceed|limit)|no more connections allowed",
        r"connection is not available, request timed out|QueuePool limit",
        r"connection pool (?:is )?(?:exhausted|full|timed out|timeout)",
        r"timeout acquiring a connection|could not obtain a connection from the pool",
        r"obtaining a connection from the pool|pool (?:is )?exhausted|all pooled connections",
        r"cannot get a connection, pool error|PoolExhausted|PoolTimeout",
        r"unable to acquire a connection",
        r"connection limit (?:\(\d+\) )?(?:is |was )?(?:reached|exceeded)",
        r"connection limit exceeded|ORA-12519|ORA-12516|ORA-00020|ORA-00018",
        r"ER_CON_COUNT_ERROR|53300",
        r"timed out fetching a new connection from the connection pool|P2024",
        r"server (?:has|is at) (?:its )?max(?:imum)? connections",
        r"maximum connections exceeded",
    ),
    "peer-memory-full": (
        r"OOM command not allowed|SERVER_ERROR out of memory",  # what a client of a cache is told
    ),
    "no-threads": (
        r"unable to create (?:a )?(?:new )?(?:native |OS )?thread|pthread_create failed",
        r"can(?:not|'t) (?:create|start) (?:a )?(?:new |native )?thread",
        r"failed to (?:create|start|spawn) (?:a )?(?:new )?(?:native |OS )?thread",
        r"fork(?:/exec \S+)?: (?:retry: )?resource temporarily unavailable",
    ),
    "clock-wrong": (
        r"current time \S+ is before|(?:token|assertion) used before issued",
        r"token.{0,40}not yet valid",
        r"certificate is not yet valid|CertificateNotYetValid|clock (?:skew|drift)\b(?! is fine)",
        r"RequestTimeTooSkewed|Signature not yet current|the clock difference against peer",
    ),
    "credentials-refused": (
        r"(?:password|peer|ident|sasl|ldap|md5|scram|gssapi|pam) authentication failed",
        r"access denied for user|login failed for user|ER_ACCESS_DENIED",
        r"authentication ?(?:failed|failure|error|required)|failed to authenticate",
        r"AuthenticationFailed|AuthenticationException(?!.*(?:certificate|TLS|SSL))",
        r"AuthenticationFailureException|could not authenticate",
        r"unable to authenticate(?!.*(?:certificate|TLS|SSL))",
        r"not authenticated|authenticationfailure|WRONGPASS|NOAUTH|NOPERM|invalid password",
        r"ERR AUTH|SASL.{0,40}(?:failed|error)",
        r"invalid (?:user ?name|username|user|login|credentials?|api ?key|token"
        r"|access key|client secret)(?:\b|[-/])",
        r"(?:incorrect|wrong|bad) (?:user ?name|password|credentials?|login|api ?key)",
        r"(?:user ?name or password|username/password|password|credentials|api key"
        r"|token) (?:(?:is|are|was) )?(?:not allowed|incorrect|invalid|wrong|rejected"
        r"|refused|expired)",
        r"issue connecting to your database with your username/password|ACCESS_REFUSED",
        r"login was refused|logon denied|ORA-01017|ORA-28000|ORA-28001|InvalidClientTokenId",
        r"InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|UnrecognizedClient",
        r"NoCredentialProviders|no valid credential|could not find default credentials",
        r"unable to locate credentials|Unable to load AWS credentials",
        r"no EC2 (?:IMDS|instance) role found|EC2RoleRequestError",
        r"ManagedIdentityCredential.{0,60}fail",
        r"credentials? (?:not found|missing)|/login.{0,30}\b(?:code|status):? 40[03]",
        r"\b401 unauthorized|status(?: ?code)?:? ?401\b|401 Client Error|HTTP 401",
        r"http status:? 401|unauthenticated\b|no pg_hba\.conf entry",
        r"role \"[^\"]*\" does not exist|INVALID_CREDENTIALS|invalid_grant|invalid_client",
        r"AADSTS\d+|token (?:is|has) expired|bad credentials",
        r"Permission denied \((?:publickey|password|keyboard)|host key verification failed",
        r"Server returned error: NOT_AUTHORIZED|bad user name or password",
        r"connection refused: not authori[sz]ed",
    ),
    "kind-missing": (
        r"no matches for kind|ensure CRDs are installed|conversion webhook for .{0,120}failed",
        r"the server could not find the requested resource \(\w+ [\w.-]+\.[\w.]+\)",
        r"could not find the requested resource, (?:list|watch|get)",
        r"customresourcedefinitions?\S* [^ ]+ not found|CRDs? (?:is|are) not installed",
        r"(?:the )?server doesn't have a resource type",
        r"failed to get API group resources|unable to retrieve the complete list of server APIs",
    ),
    "migration-failed": (
        r"flyway|liquibase.*(?:exception|error|fail)|dirty database version",
        r"pending ?migration|migrations? (?:are|is) pending",
        r"migrations?\b.{0,60}(?:fail|error|cancel(?:l)?ed|mismatch|conflict|inconsistent|inconsistency"
        r"|abort|before its)",
        r"(?:fail|error)\w*.{0,40}\bmigrat|InconsistentMigration|can't locate revision",
        r"P30(?:09|18|05)",
        r"(?:relation|table|column|schema|database|view|function|type"
        r"|index) [\"'`]?[\w.]+[\"'`]?(?: of relation \S+)? (?:does not exist"
        r"|doesn't exist|already exists)",
        r"(?:relation|database) \"[^\"]*\" does not exist|no such table|no such column",
        r"unknown column|Table '[^']*' doesn't exist|UndefinedTable|UndefinedColumn",
        r"unknown database|invalid object name|Cannot open database \"[^\"]*\" requested",
        r"duplicate (?:key|column) name|invalid column name",
        r"schema (?:version|mismatch|is out of date|validation|-validation)",
        r"checksum mismatch for migration|missing table \[|missing column \[",
    ),
    "too-many-files": (
        r"too many open files|EMFILE|ENFILE|number of file watchers reached|inotify",
        r"fsnotify.{0,40}(?:no space|too many)|watcher: no space left",
        r"open file descriptors has been reached|syscall['\"]?: ?['\"]watch['\"]",
    ),
    "disk-full": (
        r"no space left on device|ENOSPC|disk quota exceeded|disk (?:is )?full|out of disk",
        r"database space exceeded|disk resource limit alarm|not enough (?:disk )?space",
        r"EDQUOT|could not (?:extend|write).{0,60}no space|flood stage disk watermark",
        r"low[- ]disk[- ]space|insufficient disk space|free disk space is (?:insufficient|low)",
        r"there is not enough space on the disk",
    ),
    "port-in-use": (
        r"address(?: is)? already in use|EADDRINUSE",
        r"port \d+ (?:was|is) already (?:in use|allocated)|\bconnection in use: \(",
        r"port (?:is )?already (?:in use|bound|taken)|only one usage of each socket",
        r"(?:bind|listen).{0,60}(?:in use|98:)|\bErrno 98\b",
        r"can't connect to \('(?:0\.0\.0\.0|::)'",
    ),
    "locked": (
        r"another (?:\w+ )?(?:instance|process|server"
        r"|node) (?:is )?(?:already )?(?:running|using|holds)",
        r"unable to lock|could not (?:lock|obtain lock|acquire lock)|DBPathInUse",
        r"database is locked|lock file .{0,60}already exists|server is already running",
        r"lock DB directory: resource|held by another process|already locked",
        r"failed to (?:acquire|obtain|get) (?:the )?(?:file )?lock",
        r"resource temporarily unavailable.{0,40}lock|lock held by|timeout waiting for lock",
        r"pid file .{0,40}exists|change ?log lock",
    ),
    "read-only": (
        r"read-only (?:file ?system|directory|volume|mount|folder|disk)|EROFS",
        r"in a read-only transaction|super-read-only",
        r"--read-only option|(?-i:READONLY )|read only (?:replica|replicas|mode|database)",
        r"index read-only|attempt to write a readonly",
        r"(?:database|file ?system|volume|index|replica|store) is (?:in )?read.?only",
        r"not (?:a )?(?:primary|master)\b|NotWritablePrimary|not master",
    ),
    "api-forbidden": (
        r"UnauthorizedOperation|is forbidden: user",
        r"cannot (?:get|list|watch|create|update|patch|delete) resource",
        r"permission denied for (?:table|schema|relation|database|sequence|function|view"
        r"|column|language)",
        r"InsufficientPrivilege|must be (?:owner|superuser|member)|command denied to user",
        r"not authori[sz]ed(?! \(?401)|AuthorizationException|AccessDenied(?!Exception: /)",
        r"Access Denied\b|(?:status|code|error)(?: ?code)?:? ?403\b|403 forbidden",
        r"403 Client Error|PermissionDenied desc|code = PermissionDenied",
        r"insufficient (?:permissions?|privileges?|scope|rights)|not permitted to",
        r"lacks? (?:the )?(?:required )?permissions?|missing permissions?",
        r"requires? .{0,30}privilege",
    ),
    "file-missing": (
        r"no such file or directory|ENOENT|FileNotFound|NoSuchFile|file not found",
        r"could not find file|cannot find (?:the |any )?(?:module|package|file|path)",
        r"MODULE_NOT_FOUND|ModuleNotFound|no module named|ClassNotFoundException",
        r"NoClassDefFound|could not find or load main class|ImportError",
        r"unable to access jarfile|cannot load such file|failed opening required",
        r"could not find '?[\w.-]+'? ?\(|(?:was|were) not found and is not optional",
        r"error while loading shared libraries|\\?: not found$",
        r"(?:exec|sh|bash|ash|env)\S*: .{0,80}: (?:command )?not found",
        r"executable file not found|command not found|application to execute does not exist",
        r"does not exist: '?/|can't open '?/\S+'?: no such|cannot open shared object",
        r"config(?:uration)? file .{0,80}(?:not found|does not exist|missing)",
        r"\b(?:directory|path|file) .{0,80}(?:does not exist|doesn't exist|not found)\b",
        r"Missing script:|Could not locate Gemfile|Cannot find package|could not find Gem",
        r"BIO_new_file",
    ),
    "name-not-found": (
        r"no such host|ENOTFOUND|EAI_AGAIN|EAI_NONAME|UnknownHost|unknown host|nxdomain",
        r"name or service not known|nodename nor servname|name does not resolve",
        r"server misbehaving|name resolution|could not (?:resolve|translate) (?:host|address|name)",
        r"couldn't resolve|could not resolve address",
        r"(?:failed|unable|cannot|can't) to (?:resolve|lookup|look up)|can't resolve '",
        r"cannot resolve|unknown (?:mysql|database|postgres\w*) ?(?:server )?host",
        r"host not found|bad address '|no resolvable bootstrap|php_network_getaddresses",
        r"NameResolution|DNS (?:error|lookup|resolution)|server can't find",
        r"produced zero addresses|getaddrinfo|dns_error|hostname (?:could not be|resolving)",
        r"no address associated with hostname|server misbehaving|failed to lookup address",
        r"gethostbyname|\bhost\b.{0,60}(?:not found|could not be found|is unknown)",
        r"nodename nor|Lookup error",
    ),
    "tls-refused": (
        r"x509",
        r"certificate.{0,80}(?:fail|expired|invalid|unknown|verif|not trusted|unable"
        r"|mismatch|valid for|no start line|problem|self.signed|revoked|error)",
        r"(?:fail|unable|error|invalid|expired|could not).{0,60}certificate|PKIX",
        r"CERTIFICATE_VERIFY_FAILED|SSLHandshake|SSLError|SSL_ERROR|SSL_CTX_\w+|SSL routines",
        r"sslv3 alert|TLSV1_ALERT|key values mismatch|tls: |tls handshake",
        r"handshake.{0,30}(?:fail|error)|HTTP response to HTTPS client|wrong version number",
        r"client sent an HTTP request to an HTTPS server|not an SSL/TLS record",
        r"no peer certificate|ssl (?:off|is not enabled)|UNABLE_TO_VERIFY",
        r"DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED_CERT|ERR_TLS|unsupported protocol",
        r"SSL is required|server does not support SSL|no start line|bad certificate",
        r"keystore (?:was tampered|password)",
    ),
    "incompatible": (
        r"exec format error|exec user process caused|cannot execute binary file|bad cpu type",
        r"database files are incompatible|is not compatible with this version",
        r"UPGRADE PROBLEM|incompatible|invalid (?:\w+ )?server upgrade",
        r"UnsupportedClassVersion|more recent version of the java runtime",
        r"version `?(?:GLIBC|GLIBCXX|CXXABI)_[\d.]+'? not found|illegal instruction",
        r"unsupported (?:\w+ )?version|featureCompatibilityVersion",
        r"created by a newer version|downgrade (?:is )?(?:not supported|unsupported)",
        r"requires (?:\w+ )?version|symbol not found|undefined symbol",
        r"You must (?:install|update).{0,20}\.NET|does not support (?:CPU|x86-64-v|avx)",
        r"CPU (?:ISA|does not support)|vm\.max_map_count|max virtual memory areas",
        r"doesn't match stored|unable to initialize table",
        r"failed to initialize NVML|ERROR_DRIVER_NOT_LOADED",
        r"CUDA driver version is insufficient|no CUDA-capable device",
    ),
    "data-damaged": (
        r"valid checkpoint record|page corruption|corrupt(?:ed|ion)?\b|bad file format",
        r"invalid magic|crc mismatch|checksum (?:error|failed|does not match)",
        r"freepages: failed|invalid page in block|unexpected end of file reading",
        r"log sequence number .{0,40}is in the future|malformed database",
        r"database disk image is malformed|panic: .{0,40}page \d+",
        r"segment .{0,40}out of sequence",
        r"could not (?:read|locate) .{0,30}(?:checkpoint|pg_control|WAL)",
        r"truncated (?:wal|file)|damaged",
        r"short read or OOM loading DB|unexpected EOF reading RDB|reading the append only file",
    ),
    "permission-denied": (
        r"permission denied|EACCES|(?-i:EPERM)|operation not permitted|PermissionError",
        r"AccessDeniedException|(?:is|are) not writable|not writeable|UnauthorizedAccess",
        r"access to the path .{0,80}denied|writable\] FAILED|writable FAILED",
        r"can(?:not|'t) write to|must be (?:run as )?root|requires root|not owned by",
        r"has (?:group or world|too open|wrong) (?:access|permissions|ownership)",
        r"permissions? .{0,20}too open|cannot run as root|does not have permission",
        r"wrong ownership|insufficient file permission",
    ),
    "out-of-memory": (
        r"OutOfMemory|out of memory|heap out of memory|heap limit|MemoryError|bad_alloc",
        r"(?-i:OOM\b)|allowed memory size of \d+ bytes exhausted|cannot allocate memory",
        r"(?-i:ENOMEM)|insufficient memory for|memory allocation of \d+ bytes failed",
        r"memory allocation failed|failed to allocate (?:memory|\d+)|GC overhead limit",
        r"not enough memory|could not reserve enough space|Unable to allocate",
        r"cannot allocate \d+ bytes",
        r"memory (?:limit|high watermark).{0,30}(?:exceeded|set|reached)|can't allocate",
    ),
    "variable-missing": (
        r"(?:missing|required|mandatory|undefined|unset) (?:\w+ ){0,3}(?:environment "
        r"|env )?(?:variables?|env\b)",
        r"(?:environment|env) ?(?:variables?|vars?)?\b.{0,60}(?:not set|missing|required"
        r"|undefined|not defined|must be|is empty|not found|unset|not provided)",
        r"set the \S+ environment variable|KeyError: ['\"](?-i:[A-Z][A-Z0-9_]+)['\"]",
        r"key not found: \"?(?-i:[A-Z_0-9]{3,})|required key \S+ missing",
        r"\b(?-i:[A-Z][A-Z0-9_]{2,})\b:? (?:is |are |must be |was )?(?:not set|required"
        r"|missing|undefined|unset|not specified|not defined|set\b|empty|provided"
        r"|parameter not set|unbound variable)",
        r"you must specify (?-i:[A-Z_]+)|You need to specify one of",
        r"password is not specified|password option is not specified",
        r"could not resolve placeholder|unbound variable|parameter (?:null or )?not set",
        r"field required|Missing `?secret_key_base|NotPresent",
        r"missing required (?:setting|option|config|argument|parameter|value|property)",
        r"required (?:setting|property|parameter|argument|value"
        r"|config\w*) .{0,60}(?:missing|not (?:set|found|provided|specified))",
        r"must be (?:set|provided|specified|defined)\b",
    ),
    "config-invalid": (
        r"\byaml: |unmarshal|YAMLException|mapping values|did not find expected|TOML parse",
        r"toml: |unknown directive|flag provided but not defined",
        r"unknown (?:flag|option|argument|command|key|field|config\w*|parameter)",
        r"no kind \S+ is registered for version|\bfeature gates?\b|plugin \S+ does not exist",
        r"\w+(?:\[\d+\])?(?:\.\w+(?:\[\d+\])?)+: (?:Required|Invalid|Unsupported|Duplicate"
        r"|Forbidden)\b",
        r"invalid CIDR",
        r"unrecogni[sz]ed (?:argument|option|config|vm option|parameter|command|field|key)",
        r"bad directive",
        r"(?:invalid|illegal|bad|malformed) (?:config\w*|setting|option|value|argument"
        r"|literal|URL|URI|port|flag|parameter|yaml|json|duration|cron|dsn"
        r"|connection string|environment|log level|directive|syntax|address)",
        r"config(?:uration)?\b(?!.*(?:dial tcp|dialing|connection refused|deadline exceeded"
        r"|i/o timeout|timed out|no route to host))"
        r".{0,60}(?:error|invalid|fail|malformed|not valid|unable to parse|problem)",
        r"(?:error|fail\w*|invalid|unable to|cannot|could not)\b.{0,40}(?:pars|load"
        r"|read(?! (?:property|properties) of)|decod|process)\w*.{0,30}"
        r"(?:config|settings|properties|\.ya?ml|\.json|\.toml|\.conf)",
        r"in JSON at position|JSON\.parse|JSONDecodeError|JsonParseException",
        r"unexpected token|unable to parse|unexpected end of file, expecting",
        r"Failed to bind properties|FATAL CONFIG|ConfigException|syntax error",
        r"(?:key|secret|password|token|value|url|host|config\w*) (?:is|was) (?:empty|blank)",
        r"(?:must not|cannot|can't) be (?:empty|blank)",
        r"is not valid\b|loop .{0,60} detected for zone",
        r"cannot unmarshal|expected (?:a )?(?:integer|string|number|boolean|duration)",
        r"Could not create the Java|ValidationError|invalid value for",
        r"missing protocol scheme|first path segment in URL|nginx: \[emerg\]",
    ),
    "unreachable": (
        r"connection ?refused|ECONNREFUSED|\(111\)|Errno 111|actively refused|code: 111",
        r"i/o timeout|ETIMEDOUT|connection ?timed ?out|connect(?:ion)? timeout",
        r"timed out connecting|ConnectTimeout|no route to host|EHOSTUNREACH|ENETUNREACH",
        r"network is unreachable|host is unreachable|\(113\)|communications link failure",
        r"connection reset by peer|ECONNRESET|unexpected EOF while connecting",
        r"could not (?:connect|reach)|couldn't connect|can(?:not|'t) (?:connect|reach)",
        r"(?:unable|not possible) to (?:connect|reach)|failed to (?:connect|establish|dial|reach)",
        r"connect(?:ion)? (?:to .{0,80} )?(?:failed|refused)",
        r"error (?:while )?(?:connecting|dialing)|connection attempt failed|CannotConnect",
        r"ConnectException|no servers available|server selection (?:timeout|error)",
        r"ServerSelection|no (?:reachable|available) servers|broker may not be available",
        r"brokers? (?:not available|are down)|no brokers|NoBrokersAvailable",
        r"\S+:\d+ - (?:no response|rejecting)|timeout (?:occurred after waiting|reached before)",
        r"after waiting .{0,30} for \S+:\d+|timed? ?out waiting for(?! caches? to )",
        r"deadline exceeded",
        r"fetch failed|ConnectionError|server is not running|could not be established",
        r"not reachable|is unreachable|is not available|client not connected",
        r"DialectResolutionInfo cannot be null",  # of Hibernate, which got no connection
        r"connection (?:was )?(?:closed|lost|aborted)",
        r"waiting for .{0,60}(?:to be (?:ready|available|up)|database|connection)",
        r"(?:50[234]) (?:Bad Gateway|Service|Gateway)|service unavailable",
        r"no healthy upstream|upstream connect error",
    ),
    "panic": (
        r"panic: |panicked at|SIGSEGV|segmentation fault|core dumped|fatal error: ",
        r"nil pointer|NullPointer|NullReference|unhandled (?:exception|rejection|error)",
        r"uncaught (?:exception|error|\w+Error)|exception in thread",
        r"^\w*(?:Error|Exception)\b: ",
        r"\b(?:Type|Reference|Range|Index|Attribute|Value|Key|Name|ZeroDivision|Runtime"
        r"|NoMethod|Assertion|Argument)Error\b",
        r"(?:undefined method|undefined function|undefined local variable|call to undefined)",
        r"assertion .{0,80}failed|aborted|stack overflow|StackOverflow",
        r"goroutine \d+ \[running\]|terminate called|failed to start child",
        r"Application run failed|double free|\*\*\* stack smashing|bus error|FATAL EXCEPTION",
        r"concurrent map|^\*\* \([\w.]+\)|Kernel pid terminated",
    ),
}


@functools.cache
def patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """(class, pattern) in the order in which they are tried; compiled when a log is first read."""
    return tuple(
        (name, re.compile("|".join((*parts, *TRANSLATED.get(name, ()))), re.IGNORECASE))
        for name, parts in _PATTERNS.items()
    )
