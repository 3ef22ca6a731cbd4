"""Whether a sentence proves its class: whether it names what the class is about.

A sentence that no parser understood, a call that took too long or a disk that is full have several
causes. Only with a setting, a peer or a volume in the same words does one of them decide. A module,
class or library that is missing is a part of the program: its image lacks it, no setting does.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence

_NAMES: Mapping[str, str] = {
    "config-invalid": (
        r"config|conf\b|setting|flag|option|argument|parameter|directive|property|properties|environ|variable"
        r"|\.(?:ya?ml|toml|conf|ini|cfg|xml|hcl|cnf|env)\b|\byaml\b|\btoml\b|(?:^|\s)--?[a-z][\w-]+"
        r"|\[emerg\]|plugin|feature gate|\bdsn\b|connection string|\bur[il]\b|\bport\b|cron|scheme"
        r"|\bpath segment|java virtual machine|CIDR|: (?:required|invalid|unsupported|forbidden)"
        r"|\bloop \W.*\bdetected|log level|duration|(?-i:\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b)"
    ),
    "tls-refused": r"cert|x509|PKIX|trust|self.?signed|unable.to.verify|\bCA\b|key values mismatch",
    "too-many-connections": (
        r"too many|slots are reserved|max_?\w*(?:user|client|conn)|max(?:imum)? number|ER_CON"
        r"|53300|ORA-|connection limit|no more connections|max(?:imum)? connections"
    ),
    "read-only": r"file ?system|directory|volume|mount|folder|disk|EROFS|readonly database",
    "unreachable": (
        r"connect|\bdial(?:ing)?\b|refused|reset by peer|no route|unreachable|reach|\bhosts?\b"
        r"|socket|address|upstream|gateway|servers?\b|brokers?\b|database"
        r"|E(?:CONN|TIMEDOUT|HOST|NET)|errno 1\d\d|\(1\d\d\)|code: 111|no response|https?://"
        r"|service unavailable|\bi/o timeout"
    ),
}
"""Class -> what one of its sentences names, or the lines beside it. A class without an entry is
proven by each of its sentences. `too-many-connections` is what a server says: a pool that has
none left may as well wait for slow answers. `read-only` is a file system: a replica that refuses
writes is another fault."""
_NEAR = 3
_PART = re.compile(
    r"cannot find (?:module|package)|MODULE_NOT_FOUND|ModuleNotFound|no module named|ImportError"
    r"|ClassNotFound|NoClassDefFound|main class|jarfile|cannot load such file"
    r"|failed opening required|shared (?:library|libraries|object)|could not (?:find|locate) gem",
    re.IGNORECASE,
)


@functools.cache
def _pattern(class_: str) -> re.Pattern[str] | None:
    names = _NAMES.get(class_)
    return None if names is None else re.compile(names, re.IGNORECASE)


def proves(class_: str, text: str, lines: Sequence[str] = (), at: int = 0) -> bool:
    """Whether a sentence names what its class is about, or, of a configuration, one of the lines
    beside it: a parser prints the file on a line of its own."""
    if class_ == "file-missing":
        return not _PART.search(text) or bool(_FILE.search(text))
    pattern = _pattern(class_)
    if pattern is None or pattern.search(text):
        return True
    if class_ != "config-invalid":
        return False
    return any(_FILE.search(line) for line in lines[max(0, at - _NEAR) : at + _NEAR + 1])


_FILE = re.compile(r"\bconfig|\.(?:ya?ml|toml|conf|ini|cfg|hcl|cnf|env)\b", re.IGNORECASE)
