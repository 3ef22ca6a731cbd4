"""Credentials: files read again, exec plug-ins as real little programs, one refresh at a time, one
retry after 401."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cluster.api.transport import Api
from cluster.connect.access import Access, ExecPlugin, Trust, User
from cluster.connect.credentials import Credentials
from cluster.connect.exec_plugin import run_plugin
from cluster.errors import CredentialError, Unauthorized
from cluster.health.monitor import HealthMonitor
from cluster.health.reach import Reach
from tests.cluster.certificates import make_pair
from tests.cluster.fake import FakeCluster, until
from tests.cluster.live.running import BEAT

V1 = "client.authentication.k8s.io/v1"


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def script(folder: Path, body: str, name: str = "login") -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def plugin(path: Path | str, api_version: str = V1, **fields: Any) -> ExecPlugin:
    return ExecPlugin(command=str(path), api_version=api_version, **fields)


def granting(token: str, **status: str) -> str:
    document = {"apiVersion": V1, "kind": "ExecCredential", "status": {"token": token, **status}}
    return f"cat <<'END'\n{json.dumps(document)}\nEND"


def access(found: ExecPlugin) -> Access:
    return Access(
        "https://api:6443",
        trust=Trust(b"ca"),
        user=User("me", exec=found),
        proxy="http://p:1",
        compress=False,
    )


async def run(found: ExecPlugin, limit: float = 10.0) -> str:
    return (await run_plugin(access(found), found, limit)).token


async def test_a_token(tmp_path: Path) -> None:
    assert await run(plugin(script(tmp_path, granting("abc")))) == "abc"


async def test_what_the_plugin_is_given(tmp_path: Path) -> None:
    body = (
        f'printf %s "$KUBERNETES_EXEC_INFO" > {tmp_path}/info; printf %s "$A $1" > '
        f"{tmp_path}/args; "
        f"if read line; then echo got-input > {tmp_path}/input; fi; "
        f"if (: < /dev/tty) 2>/dev/null; then echo terminal > {tmp_path}/tty; fi\n"
        + granting("abc")
    )
    found = plugin(
        script(tmp_path, body),
        args=("one",),
        env=(("A", "b"),),
        provide_cluster_info=True,
        cluster_config={"audience": "x"},
    )
    assert await run(found) == "abc"
    info = json.loads((tmp_path / "info").read_text())
    assert info == {
        "apiVersion": V1,
        "kind": "ExecCredential",
        "spec": {
            "interactive": False,
            "cluster": {
                "server": "https://api:6443",
                "certificate-authority-data": "Y2E=",
                "proxy-url": "http://p:1",
                "disable-compression": True,
                "config": {"audience": "x"},
            },
        },
    }
    assert (tmp_path / "args").read_text() == "b one"
    assert not (tmp_path / "input").exists()
    assert not (tmp_path / "tty").exists()


async def test_a_command_with_a_slash_is_relative_to_its_kubeconfig(tmp_path: Path) -> None:
    script(tmp_path, granting("abc"))
    assert await run(plugin("./login", folder=tmp_path)) == "abc"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("echo 'no session \x1b[31m' >&2; exit 3", "failed with exit code 3: no session"),
        ("kill -9 $$", "ended by signal 9"),
        ("echo hello", "did not print an ExecCredential in JSON"),
        ("echo '{}'", "did not print an ExecCredential"),
        (
            'echo \'{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","status":{"token":"x"}}\'',
            "instead of",
        ),
        (f'echo \'{{"kind":"ExecCredential","apiVersion":"{V1}"}}\'', "without a status"),
        (
            f'echo \'{{"kind":"ExecCredential","apiVersion":"{V1}","status":{{}}}}\'',
            "neither a token nor",
        ),
        (granting("", clientCertificateData="x"), "without its key"),
        (granting("x", expirationTimestamp="soon"), "not a time"),
        (granting("x", expirationTimestamp="9999-12-31T23:59:59-14:00"), "not a time"),
    ],
)
async def test_failures_are_one_sentence_that_names_the_command(
    tmp_path: Path, body: str, expected: str
) -> None:
    path = script(tmp_path, body)
    with pytest.raises(CredentialError, match=expected) as caught:
        await run(plugin(path))
    assert str(path) in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_missing_command_shows_its_install_hint() -> None:
    with pytest.raises(CredentialError, match=r"not installed\. apt install login"):
        await run(plugin("no-such-login-program", install_hint="apt install login"))


async def test_a_command_that_cannot_run(tmp_path: Path) -> None:
    path = script(tmp_path, "true")
    path.chmod(0o644)
    with pytest.raises(CredentialError, match="cannot be started"):
        await run(plugin(path))


async def test_old_versions_and_terminals_are_refused(tmp_path: Path) -> None:
    path = script(tmp_path, granting("abc"))
    with pytest.raises(CredentialError, match="v1alpha1, which is not supported"):
        await run(plugin(path, api_version="client.authentication.k8s.io/v1alpha1"))
    with pytest.raises(CredentialError, match="insists on a terminal"):
        await run(plugin(path, interactive_mode="Always"))


async def test_a_hanging_plugin_is_ended_with_what_it_started(tmp_path: Path) -> None:
    path = script(tmp_path, f"sleep 60 & echo $! > {tmp_path}/pid; wait")
    with pytest.raises(CredentialError, match=r"within 0.5 s"):
        await run(plugin(path), 0.5)
    pid = int((tmp_path / "pid").read_text())
    await until(lambda: not alive(pid))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_much_output_does_not_block_the_plugin(tmp_path: Path) -> None:
    path = script(tmp_path, "head -c 3000000 /dev/zero | tr '\\0' x >&2\n" + granting("abc"))
    assert await run(plugin(path)) == "abc"


async def test_one_run_for_many_waiters_and_a_refresh_before_the_end(tmp_path: Path) -> None:
    clock = Clock()
    ends = (clock.now + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    path = script(
        tmp_path, f"echo x >> {tmp_path}/runs\n" + granting("abc", expirationTimestamp=ends)
    )
    credentials = Credentials(access(plugin(path)), clock)
    given = await asyncio.gather(*(credentials.current() for _ in range(10)))
    assert {each.headers for each in given} == {(("Authorization", "Bearer abc"),)}
    assert runs(tmp_path) == 1
    clock.now += timedelta(minutes=54)
    await credentials.current()
    assert runs(tmp_path) == 1
    clock.now += timedelta(minutes=2)
    await credentials.current()
    assert runs(tmp_path) == 2


async def test_while_the_old_token_holds_a_failed_refresh_is_no_failure(tmp_path: Path) -> None:
    clock = Clock()
    ends = (clock.now + timedelta(hours=1)).isoformat()
    path = script(
        tmp_path,
        f"test -e {tmp_path}/broken && exit 1\n" + granting("abc", expirationTimestamp=ends),
    )
    credentials = Credentials(access(plugin(path)), clock)
    await credentials.current()
    (tmp_path / "broken").touch()
    clock.now += timedelta(minutes=57)
    assert (await credentials.current()).headers == (("Authorization", "Bearer abc"),)
    clock.now += timedelta(minutes=4)
    for _ in range(2):
        with pytest.raises(CredentialError, match="exit code 1"):
            await credentials.current()
    (tmp_path / "broken").unlink()
    clock.now += timedelta(seconds=21)
    ends = (clock.now + timedelta(hours=1)).isoformat()
    path.write_text(f"#!/bin/sh\n{granting('def', expirationTimestamp=ends)}\n")
    assert (await credentials.current()).headers == (("Authorization", "Bearer def"),)


async def test_a_failed_login_is_not_started_again_for_every_watch(tmp_path: Path) -> None:
    clock = Clock()
    path = script(tmp_path, f"echo x >> {tmp_path}/runs; exit 1")
    credentials = Credentials(access(plugin(path)), clock)
    results = await asyncio.gather(
        *(credentials.current() for _ in range(20)), return_exceptions=True
    )
    assert all(isinstance(result, CredentialError) for result in results)
    assert runs(tmp_path) == 1
    clock.now += timedelta(minutes=1)
    with pytest.raises(CredentialError):
        await credentials.current()
    assert runs(tmp_path) == 2


def runs(folder: Path) -> int:
    return len((folder / "runs").read_text().split())


async def test_a_401_runs_the_plugin_once_more_and_repeats_the_request(
    tmp_path: Path, fake: FakeCluster
) -> None:
    path = script(
        tmp_path,
        f"echo x >> {tmp_path}/runs\n"
        + granting("token-$(wc -l < RUNS | tr -d ' ')".replace("RUNS", f"{tmp_path}/runs")),
    )
    path.write_text(path.read_text().replace("<<'END'", "<<END"))
    fake.token = "token-2"
    api = Api(Access(fake.url, user=User("me", exec=plugin(path))))
    assert (await api.get_json("/api/v1/pods"))["kind"] == "PodList"
    assert runs(tmp_path) == 2
    fake.token = "never"
    for _ in range(3):
        with pytest.raises(Unauthorized, match="log in again"):
            await api.get_json("/api/v1/pods")
    assert runs(tmp_path) == 2
    await api.aclose()


async def test_a_token_file_is_read_again_after_a_401(tmp_path: Path, fake: FakeCluster) -> None:
    path = tmp_path / "token"
    path.write_text("old\n")
    fake.token = "old"
    api = Api(Access(fake.url, user=User("me", token_file=path)))
    await api.get_json("/api/v1/pods")
    fake.token = "new"
    path.write_text("new\n")
    await api.get_json("/api/v1/pods")
    await api.aclose()


async def test_a_token_file_wins_over_a_token(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("fresh\n")
    user = User("me", token="stale", token_file=path)
    credentials = Credentials(Access("https://x", user=user))
    assert (await credentials.current()).headers == (("Authorization", "Bearer fresh"),)
    path.unlink()
    credentials = Credentials(Access("https://x", user=user))
    assert (await credentials.current()).headers == (("Authorization", "Bearer stale"),)


async def test_a_token_file_is_read_again_when_it_is_due(tmp_path: Path) -> None:
    clock = Clock()
    path = tmp_path / "token"
    path.write_text("old")
    credentials = Credentials(Access("https://x", user=User("me", token_file=path)), clock)
    assert (await credentials.current()).headers[0][1] == "Bearer old"
    path.write_text("new")
    assert (await credentials.current()).headers[0][1] == "Bearer old"
    clock.now += timedelta(seconds=61)
    assert (await credentials.current()).headers[0][1] == "Bearer new"
    os.unlink(path)
    clock.now += timedelta(seconds=61)
    assert (await credentials.current()).headers[0][1] == "Bearer new"


async def test_basic_and_impersonation(fake: FakeCluster) -> None:
    headers = (
        ("Impersonate-User", "root"),
        ("Impersonate-Group", "a"),
        ("Impersonate-Group", "b"),
        ("Impersonate-Extra-Scopes", "view"),
    )
    user = User("me", username="u", password="p", impersonation=headers)
    api = Api(Access(fake.url, user=user))
    await api.get_json("/api/v1/pods")
    sent = fake.requests[-1].headers
    assert sent["Authorization"] == "Basic dTpw"
    assert (sent["Impersonate-User"], sent.getall("Impersonate-Group")) == ("root", ["a", "b"])
    assert sent["Impersonate-Extra-Scopes"] == "view"
    await api.aclose()


async def test_a_token_that_breaks_the_header_is_refused() -> None:
    with pytest.raises(CredentialError, match="no header can carry"):
        await Credentials(Access("https://x", user=User("me", token="a\r\nb: c"))).current()


# ---- what the heartbeat says of logins


async def test_a_refused_certificate_is_told_with_the_day_it_ended(
    tmp_path: Path, fake: FakeCluster
) -> None:
    fake.token = "another"
    pair = make_pair(tmp_path, "me", days=30)
    user = User("me", certificate_file=pair.certificate, key_file=pair.key)
    api = Api(Access(fake.url, user=user), clock=lambda: datetime.now(UTC) + timedelta(days=60))
    monitor = HealthMonitor(api, heartbeat=BEAT)
    task = asyncio.create_task(monitor.run())
    await until(lambda: monitor.health.reach is Reach.DEGRADED)
    assert "HTTP 401" in monitor.health.reason
    assert "certificate of user 'me' ended on" in monitor.health.reason
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await api.aclose()


async def test_a_login_that_hangs_is_named_while_the_server_answers(
    tmp_path: Path, fake: FakeCluster
) -> None:
    clock = Clock()
    api = Api(
        Access(fake.url, user=User("me", exec=plugin(script(tmp_path, "sleep 60")))), clock=clock
    )
    monitor = HealthMonitor(api, heartbeat=BEAT)
    task = asyncio.create_task(monitor.run())
    login = asyncio.create_task(api.credentials.current())
    await until(lambda: monitor.health.reach is Reach.REACHABLE)
    clock.now += timedelta(seconds=6)
    await until(lambda: monitor.health.reach is Reach.DEGRADED)
    assert "has not given a credential since 03:00:00 UTC" in monitor.health.reason
    for each in (login, task):
        each.cancel()
    await asyncio.gather(login, task, return_exceptions=True)
    await api.aclose()


async def test_a_token_is_renewed_before_it_ends_though_nothing_is_asked(
    tmp_path: Path, fake: FakeCluster
) -> None:
    clock = Clock()
    ends = (clock.now + timedelta(hours=1)).isoformat()
    path = script(
        tmp_path, f"echo x >> {tmp_path}/runs\n" + granting("abc", expirationTimestamp=ends)
    )
    fake.token = "abc"
    api = Api(Access(fake.url, user=User("me", exec=plugin(path))), clock=clock)
    await api.credentials.current()
    monitor = HealthMonitor(api, heartbeat=BEAT)
    task = asyncio.create_task(monitor.run())
    await until(lambda: monitor.health.reach is Reach.REACHABLE)
    clock.now += timedelta(minutes=56)
    await until(lambda: runs(tmp_path) == 2)
    assert monitor.health.reach is Reach.REACHABLE
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await api.aclose()
