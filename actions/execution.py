"""Sends the targets of a confirmed plan one after another and verifies them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from actions.context import ActionContext, ActionJournal, Progress
from actions.definition import Verify
from actions.plan import ActionPlan, Outcome, Target, TargetResult
from actions.sending import send
from actions.targets import accept_of, reading, same, value_at
from cluster.errors import (
    ApiError,
    ClusterError,
    Conflict,
    NotFound,
    OutcomeUnknown,
    Refused,
    ServerError,
    TooManyRequests,
)
from cluster.kube.text import clean_line

POLL_S = 0.5
BLOCKED_S = 5.0
"""Seconds until an eviction that a disruption budget refused is sent again (as kubectl)."""


class Execution:
    """Sends and verifies the targets of one plan."""

    def __init__(
        self,
        plan: ActionPlan,
        context: ActionContext,
        journal: ActionJournal,
        verify: Verify | None,
        progress: Progress,
        stopped: Callable[[], bool],
    ) -> None:
        self.plan, self.context, self.journal = plan, context, journal
        self._verify, self._progress, self._stopped = verify, progress, stopped
        self.several = len(plan.targets) > 1
        self.results: dict[str, TargetResult] = {}
        """By path, in the order of sending."""
        self.answers: dict[str, object] = {}
        self.flying: Target | None = None
        self.observed = ""
        self.effect: bool | None = None
        self._halted = False
        """A human ended the wait for the effect."""
        self._begun: set[str] = set()
        self._finished: set[str] = set()
        self._started = context.monotonic()
        self._end = self._started + plan.deadline_s

    async def send_all(self) -> None:
        """Sends each target once; an eviction that a budget refuses again until the deadline. Asks
        for one blocked pod of each controller in a round."""
        waiting = list(self.plan.targets)
        named = ""
        while waiting:
            blocked: list[Target] = []
            held: set[str] = set()
            for index, target in enumerate(waiting):
                if self._stopped():
                    return self._left([*blocked, *waiting[index:]], "stopped by a human")
                owner = _owner_uid(target)
                answer = "blocked" if owner in held else await self._send(target)
                if answer == "blocked":
                    blocked.append(target)
                    held |= {owner} if owner else set()
                elif answer == "give up":
                    return self._left(
                        [*blocked, *waiting[index + 1 :]], "an earlier one has no clear result"
                    )
            if blocked and self.context.monotonic() >= self._end:
                return self._left(blocked, "a PodDisruptionBudget did not allow it in time")
            if blocked:
                names = ", ".join(target.ref.name for target in blocked[:3])
                if named != names:
                    self._progress(f"a PodDisruptionBudget does not allow {names} yet; waiting")
                named = names
                await self.context.sleep(BLOCKED_S)
            waiting = [*blocked[1:], *blocked[:1]]
        return None

    async def _send(self, target: Target) -> str:
        """Returns "" after an answer, "blocked", or "give up" when nothing more may be sent."""
        if self.several and target.path not in self._begun:
            self._begun.add(target.path)
            try:
                await self.journal.begin(self.plan, target)
            except Exception as error:  # Without a record nothing may be sent.
                self._finish(
                    target, Outcome.NOT_SENT, f"the intent was not recorded ({say(error)})"
                )
                return "give up"
        self.flying = target
        try:
            answer = await send(self.context, target)
        except TooManyRequests as error:
            if target.request.blocked_by_budget:
                self.flying = None
                return "blocked"
            self._finish(target, Outcome.FAILED, f"the server refused: {error}")
            return ""
        except Refused as error:
            self._finish(target, Outcome.REFUSED, str(error))
            return "give up"
        except (OutcomeUnknown, ServerError) as error:
            self._finish(target, Outcome.UNKNOWN, str(error), flying=True)
            return "give up"
        except ApiError as error:
            gone = self.several and isinstance(error, NotFound | Conflict)
            if gone and target.request.blocked_by_budget and (await self._seen(target))[0]:
                self._finish(target, Outcome.DONE, "it had left already")
            else:
                self._finish(target, Outcome.FAILED, f"the server refused: {error}")
            return ""
        except ClusterError as error:
            self._finish(target, Outcome.FAILED, f"it was not sent: {error}")
            return "give up"
        after = None if target.ref.kind == "Secret" else answer
        self.results[target.path] = TargetResult(
            target.ref, Outcome.SENT_NOT_SEEN, "accepted by the server", after
        )
        self.answers[target.path] = answer
        self.flying = None
        done = sum(1 for each in self.results.values() if each.outcome is Outcome.SENT_NOT_SEEN)
        if self.several:
            self._progress(f"{done} of {len(self.plan.targets)}: {target.request.summary}")
        return ""

    async def verify_all(self) -> None:
        """Reads until every sent target shows its change and the action's own effect is seen, the
        deadline is over, or a human ends the wait."""
        pending = {
            target.path: target
            for target in self.plan.targets
            if (result := self.results.get(target.path)) is not None
            and result.outcome in (Outcome.SENT_NOT_SEEN, Outcome.UNKNOWN)
        }
        reported = ""
        while True:
            for path, target in list(pending.items()):
                seen, self.observed = await self._seen(target)
                if seen:
                    del pending[path]
                    lost = self.results[path].outcome is Outcome.UNKNOWN
                    words = "the answer was lost, but the change is there" if lost else "done"
                    self._finish(target, Outcome.DONE, words)
            if not pending and self._all_done():
                if self._verify is None:
                    return
                self.effect, self.observed = await self._verify(self.context, self.plan)
                if self.effect:
                    return
            elif not pending:
                return
            if self._stopped():
                self._halted = True
                return
            if self.context.monotonic() >= self._end:
                return
            if self.observed != reported:
                reported = self.observed
                self._progress(f"waiting: {reported}")
            await self.context.sleep(POLL_S)

    async def _seen(self, target: Target) -> tuple[bool, str]:
        """(the change is visible, what was read)."""
        if target.ref.kind == "Secret":
            return target.path in self.answers, "values of a Secret are not read"
        try:
            found = await self.context.api.get_json(
                target.path, timeout=5, accept=accept_of(target.ref)
            )
        except NotFound:
            leaving = any(name == "deleted since" for name, _ in target.state)
            if (target.fields and not leaving) or (
                target.request.verb == "POST" and not target.uid
            ):
                return False, f"{target.ref} does not exist"
            return True, f"{target.ref} is gone"
        except ClusterError as error:
            return False, str(error)
        uid = str((found.get("metadata") or {}).get("uid") or "")
        if target.request.verb == "POST" and not target.uid:
            return True, f"{target.ref} exists"
        if not target.fields:
            another = bool(target.uid) and uid != target.uid
            return another, f"{target.ref} {'is another one now' if another else 'still exists'}"
        answer = self.answers.get(target.path)
        for each in target.fields:
            wanted = value_at(answer, each.pointer)[1] if answer else each.after
            got = value_at(found, each.pointer)[1]
            if not same(got, wanted):
                return False, reading(found, each.pointer)
        return True, reading(found, target.fields[0].pointer)

    # -- results

    def _finish(
        self, target: Target, outcome: Outcome, sentence: str, *, flying: bool = False
    ) -> None:
        after = self.results[target.path].after if target.path in self.results else None
        result = TargetResult(target.ref, outcome, sentence, after)
        self.results[target.path] = result
        if not flying:
            self.flying = None
        if outcome is not Outcome.UNKNOWN:
            self._record(target, result)

    def _record(self, target: Target, result: TargetResult) -> None:
        if target.path in self._begun - self._finished:
            self._finished.add(target.path)
            self.journal.finish(self.plan, result)

    def close(self) -> None:
        """Records the targets that were still open at the deadline."""
        for target in self.plan.targets:
            if target.path in self.results:
                self._record(target, self.results[target.path])

    def _left(self, targets: Sequence[Target], why: str) -> None:
        for target in targets:
            self.results[target.path] = TargetResult(target.ref, Outcome.NOT_SENT, why)

    def _all_done(self) -> bool:
        return len(self.results) == len(self.plan.targets) and all(
            each.outcome is Outcome.DONE for each in self.results.values()
        )

    def cancelled(self) -> None:
        """A person stopped it while it ran."""
        if self.flying is not None:
            self._finish(self.flying, Outcome.UNKNOWN, "stopped by a human while it was sent")
        rest = [each for each in self.plan.targets if each.path not in self.results]
        self._left(rest, "stopped by a human")

    def broken(self, why: str) -> None:
        """An error in this program."""
        target = self.flying or self.plan.targets[0]
        if self.flying is not None or not self.results:
            self._finish(target, Outcome.UNKNOWN, f"something failed while it was sent ({why})")
        rest = [each for each in self.plan.targets if each.path not in self.results]
        self._left(rest, "an earlier one has no clear result")

    @property
    def seconds(self) -> float:
        return self.context.monotonic() - self._started

    @property
    def outcome(self) -> Outcome:
        """The outcome of the whole plan."""
        kinds = {each.outcome for each in self.results.values()}
        if Outcome.UNKNOWN in kinds:
            return Outcome.UNKNOWN
        if kinds == {Outcome.DONE}:
            return Outcome.SENT_NOT_SEEN if self.effect is False else Outcome.DONE
        if kinds <= {Outcome.DONE, Outcome.SENT_NOT_SEEN}:
            return Outcome.SENT_NOT_SEEN
        if kinds & {Outcome.DONE, Outcome.SENT_NOT_SEEN}:
            return Outcome.PART
        return Outcome.REFUSED if Outcome.REFUSED in kinds else Outcome.FAILED

    @property
    def sentence(self) -> str:
        """The result of the plan as a sentence."""
        outcome, results = self.outcome, tuple(self.results.values())
        plan, first = self.plan, next((r for r in results if r.outcome is not Outcome.DONE), None)
        done = sum(1 for each in results if each.outcome is Outcome.DONE)
        count = f"{done} of {len(plan.targets)} done" if self.several else ""
        why = f"{first.ref}: {first.sentence}" if first and self.several else ""
        single = first.sentence if first else ""
        if outcome is Outcome.DONE:
            lost = next((r.sentence for r in results if "lost" in r.sentence), "")
            return f"Done: {plan.change.summary}{f' ({lost})' if lost else ''}."
        if outcome is Outcome.SENT_NOT_SEEN:
            seen = f"{self.observed}" if self.observed else "it was not seen"
            if self._halted:
                return f"The server accepted it; the wait for its effect was ended: {seen}."
            return f"The server accepted it; not seen within {plan.deadline_s:g} s: {seen}."
        if outcome is Outcome.UNKNOWN:
            reason = f"{count}, {why}" if self.several else single
            return f"It is not known whether it took effect: {reason}. Check before you repeat it."
        if outcome is Outcome.PART:
            return f"Done in part, {count}; {why}."
        reason = f"{count}, {why}" if self.several else single
        return f"Nothing was changed: {reason}."


def _owner_uid(target: Target) -> str:
    owners = ((target.before or {}).get("metadata") or {}).get("ownerReferences") or ()
    return next((str(each.get("uid", "")) for each in owners if each.get("controller")), "")


def say(error: BaseException) -> str:
    """An error of this program as half a sentence."""
    return clean_line(str(error) or type(error).__name__, 300)
