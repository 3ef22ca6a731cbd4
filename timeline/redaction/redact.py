"""Replaces secrets by typed tokens before anything is shown, stored, hashed or indexed.

A token such as ``⟦PASSWORD:1f3a5c7d9e⟧`` carries ten hex digits of an HMAC with the incident's own
key, so the same secret gives the same token within one incident and cannot be guessed from an
export. This lowers risk; it is no guarantee.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from timeline.redaction.clean import Clean, clean_value
from timeline.redaction.rules import (
    ASSIGNMENT,
    ENV_LINE,
    FLAG,
    KUBERNETES_SHAPE,
    LOGIN,
    NAME_VALUE,
    PEM,
    PEM_BODY,
    SHAPES,
    SPOKEN,
    basic_credentials,
    is_basic,
    is_password_word,
    is_placeholder,
    is_secret_key,
    kind_of_key,
    looks_random,
)

TOKEN: Final = re.compile(r"⟦[A-Z_]+:[0-9a-f]{10}⟧")
_QUOTES: Final = re.compile(r"""^(\\{0,3}["']?)(.*?)(\\{0,3}["']?)$""", re.S)
_HINT: Final = re.compile(
    r"(?i)pass|pwd|pw\b|\bpw|\bpin\b|secret|token|key|cred|auth|cookie|log|sign|dsn|conn|webhook|sig|jwt|otp|bearer"
    r"|basic|docker|://|@|eyJ|-----BEGIN|LS0t|AKIA|ASIA|MI[IGH]|MH[cg]C|MC4C|b3Bl"
    r"|[a-z0-9]{6}\.[a-z0-9]{16}|sha256~|[A-Z0-9]{20}|gh[opusr]_|gl[a-z]{2,5}-|xox|xapp|sk[-_]|rk_"
    r"|SG\.|AIza|ya29|npm_|pypi-|hv[sbr]\.|[sbr]\.[a-z0-9]{24}|do[opr]_v1|shpat"
    r"|sntry|gls?[ac]_|lin_api|xkeysib|dapi|NRAK|hf_|tfp_|atlasv1|:AA|mysql|maria|sshpass"
    r"|redis-cli|login|curl|wget|from-literal|kind.{0,4}:"
)
_CHUNK: Final = 16 * 1024
_DROPPED: Final = frozenset({"managedFields"})
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


class Redactor:
    """Cleans text and JSON-like values and replaces the secrets in them.

    `key` is the incident's own; `clean` is the rule for text from outside; `literals` are strings
    that a person named. Raises ValueError for literals of less than four characters: they would
    blank ordinary text.
    """

    def __init__(self, key: bytes, clean: Clean, literals: Iterable[str] = ()) -> None:
        self.clean = clean
        self._key = key
        forms: set[str] = set()
        for literal in literals:
            if len(literal) < 4:
                raise ValueError(
                    f"the text to redact has {len(literal)} characters; give at least four"
                )
            forms |= {
                literal,
                quote(literal, safe=""),
                base64.b64encode(literal.encode()).decode().rstrip("="),
            }
        self._literals = (
            re.compile("|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)))
            if forms
            else None
        )

    def finds_literal(self, text: str) -> bool:
        """Whether the text contains a string that a person named."""
        return self._literals is not None and bool(self._literals.search(text))

    def token(self, kind: str, secret: str) -> str:
        """The token that stands for `secret`."""
        digest = hmac.new(self._key, secret.encode(errors="replace"), hashlib.sha256).hexdigest()
        return f"⟦{kind}:{digest[:10]}⟧"

    def text(self, text: str) -> tuple[str, dict[str, int]]:
        """Return the cleaned and redacted text and the number of redactions by rule."""
        counts: Counter[str] = Counter()
        text = self.clean(text)
        if self._literals is not None:
            text = self._literals.sub(lambda m: self._count("LITERAL", m.group(), counts), text)
        if not _HINT.search(text):
            return text, dict(counts)
        text = PEM.sub(lambda m: self._count("PRIVATE_KEY", m.group(), counts), text)
        text = PEM_BODY.sub(lambda m: self._count("PRIVATE_KEY", m.group(), counts), text)
        text = self._manifest(text, counts)
        text = "".join(self._rules(chunk, counts) for chunk in _chunks(text))
        return text, dict(counts)

    def _rules(self, text: str, counts: Counter[str]) -> str:
        for start, end in reversed(basic_credentials(text)):
            text = text[:start] + self._count("BASIC_AUTH", text[start:end], counts) + text[end:]
        for kind, pattern in SHAPES:
            text = pattern.sub(self._shape(kind, counts), text)
        text = NAME_VALUE.sub(self._assignment(counts), text)
        text = ENV_LINE.sub(self._env(counts), text)
        text = FLAG.sub(self._assignment(counts), text)
        text = ASSIGNMENT.sub(self._assignment(counts), text)
        text = SPOKEN.sub(self._spoken(counts), text)
        return LOGIN.sub(self._spoken(counts), text)

    def document(self, text: str) -> tuple[str, dict[str, int]]:
        """Like `text`, but by structure when the text is one JSON document (an API object, a list).
        Keeps only the names of environment variables, because a name does not say whether its value
        is secret."""
        stripped = text.lstrip()
        if stripped[:1] in ("{", "["):
            try:
                value = json.loads(stripped)
                redacted, found = self.value(value)
                counts = Counter(found)
                redacted = self._environment(redacted, counts)
            except (ValueError, RecursionError):
                return self.text(text)
            if not counts and redacted == value:
                return text, {}
            return json.dumps(
                redacted, ensure_ascii=False, indent=2 if "\n" in stripped.strip() else None
            ), dict(counts)
        return self.text(text)

    def value(self, value: object) -> tuple[Any, dict[str, int]]:
        """Clean and redact a JSON-like value: Secrets lose their data, fields and variables with
        secret names their values."""
        counts: Counter[str] = Counter()
        return self._walk(clean_value(value, self.clean), "", counts), dict(counts)

    def _environment(self, value: Any, counts: Counter[str], key: str = "") -> Any:
        if isinstance(value, list):
            return [self._environment(item, counts, key) for item in value]
        if not isinstance(value, dict):
            return value
        given = value.get("value")
        if key == "env" and isinstance(given, str) and not is_placeholder(given):
            return {**value, "value": self._count("ENV", given, counts)}
        return {name: self._environment(item, counts, name) for name, item in value.items()}

    def _walk(self, value: object, key: str, counts: Counter[str]) -> Any:
        if isinstance(value, Mapping):
            return self._mapping(value, counts)
        if isinstance(value, (list, tuple)):
            return [self._walk(item, key, counts) for item in value]
        if isinstance(value, str):
            if (
                key
                and is_secret_key(key)
                and not is_placeholder(value)
                and not _only_reference(key, value)
            ):
                return self._count(kind_of_key(key), value, counts)
            if key == "auth" and is_basic(value):
                return self._count("DOCKER_AUTH", value, counts)
            text, found = self.text(value)
            counts.update(found)
            return text
        if (
            isinstance(value, int)
            and not isinstance(value, bool)
            and key
            and "passw" in key.lower()
            and is_secret_key(key)
        ):
            return self._count("PASSWORD", str(value), counts)
        return value

    def _mapping(self, value: Mapping[Any, Any], counts: Counter[str]) -> dict[str, Any]:
        out: dict[str, Any] = {}
        is_secret = value.get("kind") == "Secret" and ("metadata" in value or "apiVersion" in value)
        named = value.get("name")
        for key, item in value.items():
            if key in _DROPPED:
                counts["MANAGED_FIELDS"] += 1
            elif key == _LAST_APPLIED:
                counts["LAST_APPLIED"] += 1
            elif is_secret and key in ("data", "stringData") and isinstance(item, Mapping):
                out[key] = {
                    name: self._count("SECRET", str(content), counts)
                    for name, content in item.items()
                }
            elif (
                key == "value"
                and isinstance(named, str)
                and isinstance(item, str)
                and is_secret_key(named)
            ):
                out[key] = (
                    item if is_placeholder(item) else self._count(kind_of_key(named), item, counts)
                )
            else:
                out[key] = self._walk(item, str(key), counts)
        return out

    def _count(self, kind: str, secret: str, counts: Counter[str]) -> str:
        if TOKEN.fullmatch(secret):
            return secret
        counts[kind] += 1
        return self.token(kind, secret)

    def _shape(self, kind: str, counts: Counter[str]) -> Callable[[re.Match[str]], str]:
        def replace(match: re.Match[str]) -> str:
            groups = match.groupdict()
            name = next((group for group in ("s", "s2") if groups.get(group) is not None), "")
            secret = match[name] if name else match.group()
            if (
                TOKEN.search(secret)
                or is_placeholder(secret)
                or (not name and KUBERNETES_SHAPE.fullmatch(secret))
            ):
                return match.group()
            if not name:
                return self._count(kind, secret, counts)
            start, end = (position - match.start() for position in match.span(name))
            return match.group()[:start] + self._count(kind, secret, counts) + match.group()[end:]

        return replace

    def _assignment(self, counts: Counter[str]) -> Callable[[re.Match[str]], str]:
        def replace(match: re.Match[str]) -> str:
            key, value = match["key"].lstrip("-"), match["value"]
            quoted = _QUOTES.match(value)
            assert quoted is not None
            opening, bare, closing = quoted.groups()
            if (
                not is_secret_key(key)
                or is_placeholder(bare)
                or TOKEN.search(bare)
                or _only_reference(key, bare)
            ):
                return match.group()
            if key.lower() == "pass" and len(bare.split()) > 2:
                return match.group()  # The meaning of a passed check.
            if not opening and not _certain(match, key, bare):
                return match.group()
            lead = match.group()[: match.start("value") - match.start()]
            return lead + opening + self._count(kind_of_key(key), bare, counts) + closing

        return replace

    def _spoken(self, counts: Counter[str]) -> Callable[[re.Match[str]], str]:
        """For sentences of people: any word may be a password, but other secrets have a shape."""

        def replace(match: re.Match[str]) -> str:
            key, value = match.groupdict().get("key") or "", match["value"]
            bare = value.strip("\"'`").rstrip(".,;:!?)")
            word = is_password_word if key.lower().startswith(("pass", "pwd")) else looks_random
            quoted = value[0] in "\"'`"
            if is_placeholder(bare) or TOKEN.search(value) or not (quoted or word(bare)):
                return match.group()
            start = match.start("value") - match.start() + value.index(bare)
            whole = match.group()
            token = self._count(kind_of_key(key or "password"), bare, counts)
            return whole[:start] + token + whole[start + len(bare) :]

        return replace

    def _env(self, counts: Counter[str]) -> Callable[[re.Match[str]], str]:
        def replace(match: re.Match[str]) -> str:
            key, value = match["key"], match["value"]
            # Several assignments on one line (logfmt) are not an environment dump.
            if (
                not is_secret_key(key)
                or is_placeholder(value)
                or TOKEN.search(value)
                or re.search(r"\s\w+=", value)
            ):
                return match.group()
            return f"{match['lead']}{key}={self._count(kind_of_key(key), value, counts)}"

        return replace

    def _manifest(self, text: str, counts: Counter[str]) -> str:
        """Blank the values below `data:` and `stringData:` of Secrets written as YAML."""
        if not re.search(r"^\s*kind:\s*[\"']?Secret\b", text, re.M):
            return text
        out: list[str] = []
        for document in re.split(r"(^---.*$\n?)", text, flags=re.M):
            out.append(
                self._yaml_secret(document, counts)
                if re.search(r"^\s*kind:\s*[\"']?Secret\b", document, re.M)
                else document
            )
        return "".join(out)

    def _yaml_secret(self, document: str, counts: Counter[str]) -> str:
        lines, depth = [], -1
        for line in document.split("\n"):
            indent = len(line) - len(line.lstrip())
            if depth >= 0 and line.strip() and indent <= depth:
                depth = -1
            field = re.match(r"^(\s*(?:- )?[\w.\-/\"']+:[ \t]*)(\S.*)?$", line)
            if field and re.search(r"(?:^|\s)(?:data|stringData):\s*$", line):
                depth = indent
            elif depth >= 0 and field and field[2] and field[2] not in ("|", "|-", ">", ">-", "|+"):
                line = field[1] + self._count("SECRET", field[2].strip(), counts)
            elif depth >= 0 and not field and line.strip():
                line = " " * indent + self._count("SECRET", line.strip(), counts)
            lines.append(line)
        return "\n".join(lines)


def _chunks(text: str) -> Iterator[str]:
    """Whole lines, about CHUNK characters at a time: a long match would block every other thread of
    the process."""
    start = 0
    while len(text) - start > _CHUNK:
        cut = start + _CHUNK
        # Keeps the two lines of a YAML variable (name, value) together.
        while (cut := text.find("\n", cut) + 1) and re.match(
            r"\s*[\"']?value", text[cut : cut + 64]
        ):
            pass
        if not cut:
            break
        yield text[start:cut]
        start = cut
    yield text[start:]


def _certain(match: re.Match[str], key: str, value: str) -> bool:
    """Whether an unquoted word after a secret name is a value, and not the next word of a
    sentence."""
    separator = match.groupdict().get("sep", "=")
    if separator is None or "=" in separator:
        return True
    if key == "PASS":
        return False  # the verdict of a test
    line_end = match.string.find("\n", match.end())
    if key == "pass" and match.string[match.end() : line_end if line_end >= 0 else None].strip():
        return looks_random(
            value
        )  # the first word of a sentence: what it means that a check passes
    line_start = match.string.rfind("\n", 0, match.start()) + 1
    if not match.string[line_start : match.start()].strip(" \t-"):
        return True  # a line of describe output or YAML
    if any(stem in key.lower() for stem in ("passw", "pwd", "passphrase")) and not value.isdigit():
        return True
    return looks_random(value)


def _only_reference(key: str, value: str) -> bool:
    """`secret: db-creds` names an object."""
    return key.lower() in ("secret", "credential") and bool(
        re.fullmatch(r"(?:[a-z0-9.-]+/)?[a-z0-9]+(?:-[a-z0-9]+)+|[a-z0-9.-]+/[a-z0-9.-]+", value)
    )
