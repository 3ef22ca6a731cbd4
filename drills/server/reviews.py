"""SelfSubjectAccessReview, SelfSubjectRulesReview, SelfSubjectReview: the drill's user may do
everything that no fault forbids."""

from __future__ import annotations

from drills.api.objects import Obj, dig
from drills.server.faults import Faults

USER = "drill:on-call"
GROUPS = ["system:authenticated", "drill:engineers"]


def answer(plural: str, body: Obj, faults: Faults) -> Obj:
    """The reviewed object with its status."""
    if plural == "selfsubjectreviews":
        return {**body, "status": {"userInfo": {"username": USER, "groups": GROUPS}}}
    if plural == "selfsubjectrulesreviews":
        rules = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
        return {
            **body,
            "spec": body.get("spec", {}),
            "status": {
                "resourceRules": rules,
                "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
                "incomplete": False,
            },
        }
    wanted = dig(body, "spec", "resourceAttributes", default={})
    resource = wanted.get("resource", "")
    if wanted.get("subresource"):
        resource += f"/{wanted['subresource']}"
    denied = any(
        rule["action"] == "forbidden"
        and faults_match(
            rule, resource, str(wanted.get("namespace", "")), str(wanted.get("verb", ""))
        )
        for rule in faults.rows()
    )
    return {
        **body,
        "status": {
            "allowed": not denied,
            **({"reason": "RBAC: no rule allows it"} if denied else {}),
        },
    }


def faults_match(rule: Obj, resource: str, namespace: str, verb: str) -> bool:
    if rule["resource"] and rule["resource"] not in {resource, resource.split("/")[0]}:
        return False
    if rule["namespace"] and rule["namespace"] != namespace:
        return False
    return not rule["verbs"] or verb in rule["verbs"]
