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
        status: Obj = {"userInfo": {"username": USER, "groups": GROUPS}}
    elif plural == "selfsubjectrulesreviews":
        status = {
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            "incomplete": False,
        }
    else:
        wanted = dig(body, "spec", "resourceAttributes", default={})
        sub = wanted.get("subresource")
        resource = f"{wanted.get('resource', '')}/{sub}" if sub else wanted.get("resource", "")
        verb, namespace = str(wanted.get("verb", "")), str(wanted.get("namespace", ""))
        denied = faults.forbids(resource=resource, namespace=namespace, verb=verb)
        reason = {"reason": "RBAC: no rule allows it"} if denied else {}
        status = {"allowed": not denied, **reason}
    return {"spec": {}, **body, "status": status}
