"""The text format of metrics pages, with the lines that break simple readers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.kube.prometheus import samples


def test_braces_and_quotes_in_labels_and_lines_that_are_none() -> None:
    text = (
        '# HELP a words\na{x="1",y="a,b}"} 3 17\na 4\nb 5\na{x="2"} nonsense\na{x="q\\"\\\\"} '
        "+Inf\nab 1\n"
    )
    found = [(sample.labels, sample.value) for sample in samples(text, ("a",))]
    assert found == [({"x": "1", "y": "a,b}"}, 3.0), ({}, 4.0), ({"x": 'q"\\'}, float("inf"))]
    assert [sample.name for sample in samples(text, ("a*",))] == ["a", "a", "a", "ab"]


def test_an_exemplar_is_not_the_value() -> None:
    line = 'a_bucket{le="1"} 17 1520879607.789 # {trace_id="x}"} 0.67 1520879607.1\n'
    (sample,) = samples(line)
    assert (sample.labels, sample.value, sample.at) == ({"le": "1"}, 17.0, 1520879607.789)
    (bare,) = samples("a 17 # {} 0.67\n")
    assert bare.value == 17.0


def test_times_are_milliseconds_in_one_format_and_seconds_in_the_other() -> None:
    assert [each.at for each in samples("a 1 1520879607789\nb 1 1520879607\nc 1\n")] == [
        1520879607.789,
        1520879607.0,
        0.0,
    ]


def test_line_feeds_in_labels_are_unescaped_once() -> None:
    (sample,) = samples(r'a{x="one\ntwo",y="C:\\new"} 1')
    assert sample.labels == {"x": "one\ntwo", "y": "C:\\new"}


client = pytest.importorskip("prometheus_client")
core = pytest.importorskip("prometheus_client.core")
openmetrics = pytest.importorskip("prometheus_client.openmetrics.exposition")
parser = pytest.importorskip("prometheus_client.parser")

TEXT = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S", "Zs"]) | st.just("\n"))


class Metrics:
    def __init__(self, label: str, value: float) -> None:
        self._label, self._value = label, value

    def collect(self) -> Iterator[Any]:
        gauge = core.GaugeMetricFamily("g", "help", labels=["x", "y"])
        gauge.add_metric([self._label, "1"], self._value)
        counter = core.CounterMetricFamily("c", "help", labels=["x"])
        counter.add_metric([self._label], self._value, timestamp=1.5)
        histogram = core.HistogramMetricFamily("h", "help")
        exemplar = client.samples.Exemplar({"trace": "}"}, 0.5)
        histogram.add_metric([], [("1.0", 3.0, exemplar), ("+Inf", 4.0)], sum_value=2.0)
        yield from (gauge, counter, histogram)


@given(TEXT, st.floats(allow_nan=False))
def test_as_the_official_client_reads_them(label: str, value: float) -> None:
    registry = client.CollectorRegistry()
    registry.register(Metrics(label, value))
    text = client.generate_latest(registry).decode()
    theirs = {
        (each.name, tuple(sorted(each.labels.items()))): each.value
        for family in parser.text_string_to_metric_families(text)
        for each in family.samples
    }
    other = openmetrics.generate_latest(registry).decode()
    for page in (text, other):
        ours = {
            (each.name, tuple(sorted(each.labels.items()))): each.value for each in samples(page)
        }
        assert ours == theirs
