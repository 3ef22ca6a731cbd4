"""Reads YAML safely as plain values, with the line of each key. Only `true` and `false` are
booleans; `yes`, `no` and `on` stay strings."""

from __future__ import annotations

import re
from typing import Any

import yaml

from cluster.kube.text import clean_uncut

SIZE_LIMIT = 1_000_000
"""Characters of one YAML text; aliases are refused, so that a small text cannot grow into a large
one."""


class YamlError(ValueError):
    """Not readable as YAML. `line` counts from 1 in the whole file."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml where PyYAML was built with it: the library loads three times as fast."""


class _Loader(_Base):  # type: ignore[misc]  # the base is chosen when the module is imported
    """SafeLoader in which only true and false are booleans: `yes:` and `no:` are the words of a
    human's answer."""


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag not in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))


def read(text: str, first_line: int = 1) -> tuple[Any, dict[tuple[str, ...], int]]:
    """Return the value and the line of every key and item, by path (`("match", "strong", "0")`).
    Raises YamlError."""
    if len(text) > SIZE_LIMIT:
        raise YamlError(first_line, f"is longer than {SIZE_LIMIT:,} characters")
    loader = _Loader(text)
    lines: dict[tuple[str, ...], int] = {}
    try:
        node = loader.get_single_node()
        if node is None:
            return None, lines
        _walk(node, (), first_line, lines, set())
        return loader.construct_document(node), lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = first_line + (mark.line if mark else 0)
        raise YamlError(line, f"is not valid YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, YamlError):
            raise
        raise YamlError(first_line, f"is not valid YAML: {error}") from error
    finally:
        loader.dispose()


def _walk(
    node: yaml.Node,
    path: tuple[str, ...],
    first_line: int,
    lines: dict[tuple[str, ...], int],
    seen: set[int],
) -> None:
    line = first_line + node.start_mark.line
    lines.setdefault(path, line)
    if isinstance(node, yaml.ScalarNode):
        node.value = clean_uncut(node.value)  # YAML resolves escapes of a text that was cleaned
        return
    if id(node) in seen:
        raise YamlError(line, "uses a YAML alias; write the value out")
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                key.value = clean_uncut(key.value)
            name = str(key.value)
            where = first_line + key.start_mark.line
            if name in keys:
                raise YamlError(where, f"has the key {name!r} twice; keep one")
            keys.add(name)
            lines[(*path, name)] = where
            _walk(value, (*path, name), first_line, lines, seen)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _walk(value, (*path, str(index)), first_line, lines, seen)
