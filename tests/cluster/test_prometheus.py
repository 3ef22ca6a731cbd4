"""The text format of metrics pages, with the lines that break simple readers."""

from __future__ import annotations

from cluster.kube.prometheus import samples


def test_braces_and_quotes_in_labels_and_lines_that_are_none() -> None:
    text = (
        '# HELP a words\na{x="1",y="a,b}"} 3 17\na 4\nb 5\na{x="2"} nonsense\na{x="q\\"\\\\"} '
        "+Inf\nab 1\n"
    )
    found = [(sample.labels, sample.value) for sample in samples(text, ("a",))]
    assert found == [({"x": "1", "y": "a,b}"}, 3.0), ({}, 4.0), ({"x": 'q"\\'}, float("inf"))]
    assert [sample.name for sample in samples(text, ("a*",))] == ["a", "a", "a", "ab"]
