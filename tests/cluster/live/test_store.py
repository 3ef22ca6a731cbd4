"""The indexes of the store say the same as a walk over all its objects."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cluster.kube.objects import Service
from cluster.kube.selectors import service_selects
from cluster.live.store import Store
from tests.triage.build import meta, row

LABELS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("12"), max_size=3)
SERVICES = st.tuples(st.sampled_from(["shop", "pay"]), st.sampled_from("xyz"), LABELS)


@given(st.lists(st.tuples(SERVICES, st.booleans()), max_size=12), LABELS)
def test_the_services_that_select_labels_are_found_without_the_others(
    steps: list[tuple[tuple[str, str, dict[str, str]], bool]], labels: dict[str, str]
) -> None:
    store = Store()
    for (namespace, name, selector), there in steps:
        service = row(
            "Service", {"metadata": meta(name, namespace), "spec": {"selector": selector}}
        )
        store.apply("Service", [service] if there else (), () if there else [(namespace, name)])
        for each in ("shop", "pay"):
            walked = [
                service.metadata.name
                for service in store.all("Service", Service)
                if service.metadata.namespace == each
                and service_selects(service.spec.selector, labels)
            ]
            found = store.services_selecting(each, labels)
            assert [service.metadata.name for service in found] == sorted(walked)
