"""A corpus in the shapes of row T18: what a cluster shows when it leaks, and what only looks like
it."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from cluster.kube.text import clean_uncut
from timeline.redaction.redact import TOKEN, Redactor

KEY = b"k" * 32
JWT = (
    "eyJhbGciOiJSUzI1NiIsImtpZCI6Ik1"
    + ".eyJpc3MiOiJrdWJlcm5ldGVzL3NlcnZpY2VhY2NvdW50In0"
    + ".c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"
)
PEM_BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"
PEM = f"-----BEGIN PRIVATE KEY-----\n{PEM_BODY}\n{PEM_BODY[::-1]}\n-----END PRIVATE KEY-----"
DOCKER_AUTH = base64.b64encode(b"robot:Tr0ub4dor-and-3").decode()
BASIC = base64.b64encode(b"grafana:glass-onion-7").decode()

# name, text, what must not be left of it
SECRETS: list[tuple[str, str, str]] = [
    ("service account token", f'level=error msg="unauthorized" token={JWT}', JWT.split(".")[1]),
    ("jwt alone in a log", f"rejected {JWT} from 10.0.0.7", JWT.split(".")[1]),
    ("pem", f"tls.key:\n{PEM}\ndone", PEM_BODY),
    ("pem escaped", '{"key":"' + PEM.replace("\n", "\\n") + '"}', PEM_BODY),
    ("pem cut off", PEM[:90], PEM_BODY[:40]),
    (
        "pem in base 64",
        "tls.key: " + base64.b64encode(PEM.encode()).decode(),
        base64.b64encode(PEM.encode()).decode()[20:60],
    ),
    (
        "bootstrap token",
        "kubeadm join 10.0.0.1:6443 --token k3f8zq.9d2m7xw4p1s6v8ty "
        "--discovery-token-ca-cert-hash sha256:aa",
        "9d2m7xw4p1s6v8ty",
    ),
    (
        "bearer",
        "curl -H 'Authorization: Bearer 8f14e45fceea167a5a36dedd4bea2543' https://api",
        "8f14e45fceea167a",
    ),
    ("basic header", f"> Authorization: Basic {BASIC}", BASIC),
    (
        "url userinfo",
        "dial postgres://shop:s3a-turtle@db.shop.svc:5432/orders: connection refused",
        "s3a-turtle",
    ),
    ("redis url", "REDIS_URL=redis://:pelican_92@cache:6379/0", "pelican_92"),
    ("go mysql dsn", "failed to open shop:jam.jar@tcp(db:3306)/orders", "jam.jar"),
    ("cloud key id", "using AKIAQ3EGRT5LZKXW2M4N from env", "AKIAQ3EGRT5LZKXW2M4N"),
    (
        "cloud secret key",
        "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYzz12345678",
        "wJalrXUtnFEMI",
    ),
    ("code host token", "remote: denied ghp_" + "aB3dE6gH9j" * 4, "aB3dE6gH9jaB3"),
    (
        "chat token",
        "notify failed: xoxb-918273645546-918273645546-QmFzZTY0aXNmdW4",
        "QmFzZTY0aXNmdW4",
    ),
    (
        "chat webhook",
        "POST https://hooks.slack.com/services/T01ABCDEF/B02GHIJKL/mN3oP4qR5sT6uV7wX8yZ9aB0",
        "mN3oP4qR5sT6uV7w",
    ),
    (
        "helm set",
        "helm upgrade shop ./chart --set db.password=walrus-hat --set replicas=3",
        "walrus-hat",
    ),
    ("mysql -p", "mysqldump -u root -pTinCan42 orders > dump.sql", "TinCan42"),
    (
        "env dump",
        "PATH=/usr/bin\nMYSQL_ROOT_PASSWORD=open sesame, please\nHOME=/root",
        "open sesame",
    ),
    (
        "describe",
        "    Environment:\n      DB_PASSWORD:  marmalade\n      DB_HOST:      db",
        "marmalade",
    ),
    (
        "dockerconfigjson",
        json.dumps({"auths": {"registry.example": {"auth": DOCKER_AUTH}}}),
        DOCKER_AUTH,
    ),
    (
        "secret yaml",
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\ndata:\n  username: c2hvcA==\n  "
        "greeting: aGVsbG8gd29ybGQ=\n",
        "aGVsbG8gd29ybGQ=",
    ),
    (
        "secret json",
        json.dumps({"kind": "Secret", "apiVersion": "v1", "data": {"greeting": "aGVsbG8="}}),
        "aGVsbG8=",
    ),
    (
        "pod env json",
        json.dumps(
            {"spec": {"containers": [{"env": [{"name": "API_KEY", "value": "plum-7788"}]}]}}
        ),
        "plum-7788",
    ),
    ("pod env yaml", "env:\n- name: SMTP_PASSWORD\n  value: tangerine\n", "tangerine"),
    (
        "kubeconfig",
        "users:\n- name: admin\n  user:\n    token: 0a1b2c3d4e5f60718293\n    client-key-data: "
        "LS0tLS1CRUdJTiBSU0E=\n",
        "0a1b2c3d4e5f6071",
    ),
    ("cookie", "Set-Cookie: session=Zm9vYmFyYmF6; HttpOnly", "Zm9vYmFyYmF6"),
    ("from literal", "kubectl create secret generic x --from-literal=pin=8842-1177", "8842-1177"),
    ("flag and space", "vault login --token hvs.CAESIJ3kq0 --address https://v", "hvs.CAESIJ3kq0"),
    (
        "last applied",
        json.dumps(
            {
                "metadata": {
                    "annotations": {
                        "kubectl.kubernetes.io/last-applied-configuration": '{"stringData":{"pin":"4711-x"}}'
                    }
                }
            }
        ),
        "4711-x",
    ),
    ("prose", "the admin password: Horse9Battery was in the log", "Horse9Battery"),
    ("query", "GET /v1/metrics?access_token=77aa88bb99cc&limit=3", "77aa88bb99cc"),
    ("said in a note", "the password was marmalade, told to ops", "marmalade"),
    ("said with its owner", "password for the db is now Tr0ub4dor&3.", "Tr0ub4dor&3"),
    ("said and quoted", 'the passphrase is "open sesame"', "open"),
    ("login in a note", "logged in as admin/Hunter2x on the console", "Hunter2x"),
    ("ldap", "ldapsearch bindpw=tangerine -x", "tangerine"),
    (
        "a bare key pair",
        "used AKIAQ3EGRT5LZKXW2M4N / wJalrXUtnFEMIK7MDENGbPxRfiCYzz1234567890",
        "wJalrXUtnFEMIK7MDENG",
    ),
    ("pem body", f"{PEM_BODY}\n{PEM_BODY[::-1]}", PEM_BODY[20:]),
    ("pem body in a line", f"key was {PEM_BODY} I think", PEM_BODY[20:]),
    (
        "openssh body",
        "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtz",
        "AAAAABG5vb",
    ),
    ("curl user", "curl -u elastic:cobalt-moth https://es:9200/_cat", "cobalt-moth"),
]

BENIGN: list[tuple[str, str]] = [
    (
        "a label beside a namespace",
        "no pod in namespace credentials matches app.kubernetes.io/name=credentials-controller",
    ),
    ("uid", "metadata.uid: 7c9e6679-7425-40de-944b-e07fc1f90ae7"),
    (
        "image digest",
        "Image ID: registry.example/shop@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ),
    ("generated pod name", "Pod shop/market-7d9f8b6c54-x2kqp was OOMKilled"),
    (
        "container id",
        "containerd://4b3f1c2d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f809 exited",
    ),
    ("missing secret", 'MountVolume.SetUp failed for volume "creds" : secret "db-creds" not found'),
    (
        "secret reference",
        "      DB_PASSWORD:  <set to the key 'password' in secret 'db'>  Optional: false",
    ),
    ("secretName", "secretName: market-tls\nimagePullSecrets:\n- name: registry-pull"),
    (
        "token kinds",
        "Type: kubernetes.io/service-account-token, automountServiceAccountToken: true, "
        "tokenExpirationSeconds: 3607",
    ),
    (
        "prose about tokens",
        'failed to get token: Post "https://sts.example/": context deadline exceeded',
    ),
    ("prose about passwords", "password authentication failed for user shop; no password was set"),
    (
        "rbac",
        'User "system:serviceaccount:kube-system:token-cleaner" cannot list resource "secrets" in '
        'the namespace "shop"',
    ),
    (
        "connect error",
        "dial tcp 10.96.0.1:443: connect: connection refused; 3 of 7 probes passed, conntrack: "
        "65536",
    ),
    ("traceparent", "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ("bearer prose", "WWW-Authenticate: Bearer authentication is required for this realm"),
    ("certificate", "certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUM="),
    ("image", "image: registry.example:5000/team/shop:1.4.2@sha256:" + "ab" * 32),
    ("status line", "nodes 0s pods 0s secrets: forbidden INC 2026-11-21-a"),
    ("go test", "--- PASS: TestReconnect (0.00s)"),
    ("cookie off", "cookie: disabled, session cookie: strict"),
    ("switches", "token: disabled\npassword: enabled\nauthorization: RBAC\nsecret: optional"),
    ("authorization mode", "--authorization-mode=Node,RBAC --token-auth-method=none"),
    ("what a check means", "  pass: Not the nodes. Look at what else was rolled out. -> next"),
    ("what a quoted check means", "pass: 'Then the metric itself: its adapter.'"),
    ("a compound word", "WRONGPASS invalid username-password pair"),
    ("password said to be bad", "the password was changed; the password is too short"),
    ("password of no use", "the password is wrong, the token was rotated, the secret is missing"),
    ("login of no use", "login to node-2: refused; log in at host/path"),
    ("a certificate's body", "MIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBaMQswCQYDVQQGEwJJ"),
    ("author of a url", "https://docs.example/tasks/secret?section=keys#token-rotation"),
]


def test_own_texts_are_left_alone() -> None:
    """Every runbook and document of the project is the same after redaction, byte by byte."""
    root = Path(__file__).parents[2]
    redactor = Redactor(KEY, clean_uncut)
    folders = ("runbooks/library", "runbooks/guides")
    found = [path for folder in folders for path in sorted((root / folder).rglob("*.*"))]
    texts = {path: path.read_text() for path in found if path.suffix in (".md", ".yaml")}
    assert len(texts) > 100
    changed = [path.name for path, text in texts.items() if redactor.document(text) != (text, {})]
    assert changed == []


@pytest.mark.parametrize(("name", "text", "secret"), SECRETS, ids=[name for name, _, _ in SECRETS])
def test_secret_is_gone(name: str, text: str, secret: str) -> None:
    redacted, counts = Redactor(KEY, clean_uncut).document(text)
    assert secret not in redacted
    assert counts


@pytest.mark.parametrize(("name", "text"), BENIGN, ids=[name for name, _ in BENIGN])
def test_benign_text_is_left_alone(name: str, text: str) -> None:
    assert Redactor(KEY, clean_uncut).document(text) == (text, {})


def test_the_surroundings_stay_readable() -> None:
    redacted, counts = Redactor(KEY, clean_uncut).text(
        "dial postgres://shop:s3a-turtle@db.shop.svc:5432/orders: connection refused"
    )
    assert redacted.startswith("dial postgres://shop:⟦URL_PASSWORD:")
    assert redacted.endswith("@db.shop.svc:5432/orders: connection refused")
    assert counts == {"URL_PASSWORD": 1}


def test_same_secret_same_digest_within_an_incident_only() -> None:
    def digests(key: bytes) -> set[str]:
        text, _ = Redactor(key, clean_uncut).text(
            "DB_PASSWORD=walrus-hat\nurl=amqp://q:walrus-hat@mq/\nOTHER_PASSWORD=other-hat"
        )
        return {token.split(":")[1] for token in TOKEN.findall(text)}

    assert len(digests(KEY)) == 2
    assert not digests(KEY) & digests(b"x" * 32)


def test_redaction_is_idempotent() -> None:
    redactor = Redactor(KEY, clean_uncut)
    for _, text, _ in SECRETS:
        once, _ = redactor.document(text)
        assert redactor.document(once) == (once, {}) or "MANAGED_FIELDS" in once


def test_literals_in_every_spelling() -> None:
    redactor = Redactor(KEY, clean_uncut, ["ACME & Söhne"])
    text, counts = redactor.text(
        "ACME & Söhne, ACME%20%26%20S%C3%B6hne, "
        + base64.b64encode("ACME & Söhne".encode()).decode()
    )
    assert "ACME" not in text
    assert counts == {"LITERAL": 3}
    with pytest.raises(ValueError, match="at least four"):
        Redactor(KEY, clean_uncut, ["abc"])


def test_of_environment_variables_only_the_names_are_kept_as_evidence() -> None:
    """A name such as LICENSE does not tell that its value is secret."""
    env = [
        {"name": "LICENSE", "value": "plum-pear"},
        {"name": "DEBUG", "value": "true"},
        {"name": "FROM", "valueFrom": {"secretKeyRef": {"name": "db", "key": "x"}}},
    ]
    pod = {"kind": "Pod", "spec": {"containers": [{"env": env, "args": ["plum"]}]}}
    text, counts = Redactor(KEY, clean_uncut).document(json.dumps(pod))
    assert "plum-pear" not in text
    assert counts == {"ENV": 1}
    kept = json.loads(text)["spec"]["containers"][0]
    assert [each["name"] for each in kept["env"]] == ["LICENSE", "DEBUG", "FROM"]
    assert kept["env"][1:] == env[1:]
    assert kept["args"] == ["plum"]


def test_a_document_nested_too_deep_is_redacted_as_text() -> None:
    deep = "[" * 900 + '"password=hunter2pass"' + "]" * 900
    for text in (deep, "[" * 100_000 + "password=hunter2pass"):
        assert "hunter2pass" not in Redactor(KEY, clean_uncut).document(text)[0]


def test_structure_first() -> None:
    value, counts = Redactor(KEY, clean_uncut).value(
        {
            "password": 12345678,
            "passed": 3,
            "secretName": "db",
            "keys_lost": ["password"],
            "managedFields": [{}],
            "args": ["--db-password=plum"],
        }
    )
    assert value["passed"] == 3
    assert value["secretName"] == "db"
    assert value["keys_lost"] == ["password"]
    assert "managedFields" not in value
    assert "12345678" not in str(value)
    assert "plum" not in str(value)
    assert counts["PASSWORD"] == 2
