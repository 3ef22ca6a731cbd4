"""The runbook of the story with a step of each kind, and others to choose from."""

from __future__ import annotations

from pathlib import Path

from runbooks.model import Answer, CheckSource, Query, Runbook, Section, Step, StepKind


def runbook() -> Runbook:
    def step(
        id: str,
        kind: StepKind,
        question: str,
        expected: str,
        section: str,
        answers: tuple[Answer, ...],
        **more: object,
    ) -> Step:
        fixed = {
            "id": id,
            "kind": kind,
            "question": question,
            "expected": expected,
            "section": section,
            "line": 1,
            "answers": answers,
        }
        return Step(**fixed, **more)  # type: ignore[arg-type]  # test data

    mitigate = (
        step(
            "cordon",
            StepKind.ACTION,
            "Keep new pods off {node}?",
            "{node} takes no new pods",
            "stop-the-bleeding",
            (
                Answer("done", "no new pods land on {node}", "move"),
                Answer("failed", "nothing was changed", "escalate"),
            ),
            uses="cordon",
            args={"node": "{node}"},
            blast="No new pods on {node}; running pods stay.",
            undo="kubectl uncordon {node}",
            kubectl="kubectl cordon {node}",
        ),
        step(
            "move",
            StepKind.ASK,
            "Have the pods moved off {node}?",
            "Errors stop within a minute",
            "stop-the-bleeding",
            (Answer("yes", "errors stopped", "drift"), Answer("no", "errors go on", "matrix")),
            blast="Deletes the pods on {node}; their controllers start them elsewhere.",
            undo="kubectl uncordon {node}",
            kubectl="kubectl -n {namespace} delete pod --field-selector spec.nodeName={node}",
        ),
    )
    find = (
        step(
            "drift",
            StepKind.CHECK,
            "Does the network agent run the same image on every node?",
            "one digest for all pods of the DaemonSet",
            "find-out",
            (
                Answer(
                    "pass", "the agent is the same everywhere: look elsewhere", "section:verify"
                ),
                Answer("fail", "{node} runs another version, so other rules", "matrix"),
                Answer("unknown", "pods cannot be read", "next"),
            ),
            why="A tag such as latest is resolved on each node when it pulls.",
            kubectl="kubectl -n kube-system get pods -l k8s-app=kube-router -o wide",
            query=Query(
                CheckSource.COMPARE,
                kind="Pod",
                value="self.status.containerStatuses[0].imageID",
                by="node",
            ),
        ),
        step(
            "matrix",
            StepKind.PROBE,
            "Refused by the pod, or rejected on the way?",
            "ok from every namespace and node",
            "find-out",
            (
                Answer("rejected", "{node} enforces policy wrongly", "section:fix-for-good"),
                Answer("refused", "nothing listens: look at the pods", "escalate"),
                Answer("unknown", "could not be measured", "next"),
            ),
            uses="connectivity",
            args={"from": "nginx", "to": "{namespace}"},
            kubectl="kubectl -n nginx exec deploy/nginx -- nc -vz 10.244.2.31 8080",
        ),
    )
    verify = (
        step(
            "wait",
            StepKind.WAIT,
            "Are all catalog pods ready?",
            "7 of 7 ready",
            "verify",
            (
                Answer("reached", "users are served again", "done"),
                Answer("deadline", "still not", "escalate"),
            ),
            deadline=120.0,
            kubectl="kubectl -n {namespace} rollout status deploy/catalog",
        ),
    )
    sections = (
        Section(
            "What it looks like",
            "what-it-looks-like",
            "Calls to **one namespace** are refused, but only when the target pod is on one node."
            "\n\n- the pods are healthy when asked from their own node\n- DNS answers\n",
            1,
        ),
        Section(
            "Do not",
            "do-not",
            "Do not delete the NetworkPolicy: it opens the namespace to everyone, and the next "
            "sync writes it back.",
            1,
        ),
        Section(
            "Stop the bleeding",
            "stop-the-bleeding",
            "Move the load off the node first; look for the cause after.",
            1,
            mitigate,
        ),
        Section("Find out", "find-out", "", 1, find),
        Section("Verify", "verify", "", 1, verify),
        Section(
            "Fix for good",
            "fix-for-good",
            "Pin the image by digest:\n\n```\nimage: cloudnativelabs/kube-router@sha256:4f1e…\n```",
            1,
        ),
        Section(
            "The story",
            "the-story",
            "A restarted node pulled `latest` and enforced other rules than its neighbours.",
            1,
        ),
    )
    return Runbook(
        id="network-policy-cni-version-skew",
        title="Connection refused across namespaces, only to one node",
        path=Path("network-policy-cni-version-skew.md"),
        digest="0" * 64,
        sections=sections,
        story="000: connection refused",
        severity="critical",
        impact="Calls to pods on one node fail; others work, so errors come and go.",
        symptoms=(
            "connection refused",
            "502 from the ingress, but only sometimes",
            "dial tcp: connect: connection refused",
        ),
        last_reviewed="2026-11-01",
    )


def other_runbooks() -> tuple[Runbook, ...]:
    names = {
        "nodes-notready-system-oom": "Pods without limits, nodes NotReady one after another",
        "cni-not-ready-on-new-node": "Pods start before the network plugin is ready",
        "coredns-oom": "CoreDNS over its memory limit",
        "ingress-controller-oom": "A slow backend fills the shared ingress until it is killed",
    }
    return tuple(
        Runbook(
            id=i,
            title=t,
            path=Path(f"{i}.md"),
            digest="1" * 64,
            sections=(Section("What it looks like", "what-it-looks-like", t, 1),),
        )
        for i, t in names.items()
    )
