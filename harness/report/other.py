"""What the other policy would say of the same stored results, in one line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.gates.policy import Policy
from harness.gates.words import Verdict, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.gates.sequential import Decision
    from harness.gates.verdict import FeatureVerdict
    from harness.matrix.judge import Judge
    from harness.matrix.planned import PlannedFeature
    from harness.matrix.replay import Progress


@dataclass(frozen=True)
class OtherPolicy:
    """The other policy's view of one candidate.

    Attributes:
        policy: the one that the report is not of.
        verdict: what it says of what is stored.
        why: its reason, in one line.
        more: pairs that it still needs in the cell that needs most, to decide F1 with 80 %
            probability; None where that is not known, beyond the plan, or nothing to wait for.
    """

    policy: Policy
    verdict: Verdict
    why: str
    more: int | None = None

    @property
    def sentence(self) -> str:
        """The whole line."""
        word = self.verdict.value.replace("_", " ")
        return f"under the policy {self.policy}: {word}{f', {self.why}' if self.why else ''}"

    def to_json(self) -> dict[str, Any]:
        """The view as JSON data."""
        return {
            "policy": self.policy.value,
            "verdict": self.verdict.value,
            "more": self.more,
            "sentence": self.sentence,
        }


def other_policy(judge: Judge, planned: PlannedFeature) -> OtherPolicy:
    """Judge a candidate's stored results by the policy that was not asked for; trains nothing.

    The other policy may want trials that were never run, since a campaign stops where its own
    policy is satisfied. Then it cannot PASS yet, and the line says what is missing.

    Raises:
        StoreError: if a stored result is damaged.
    """
    policy = Policy.CLAIMS if judge.plan.policy is Policy.ROADMAP else Policy.ROADMAP
    twin = judge.under(policy)
    progress = twin.progress(planned)
    found = twin.verdict(planned, progress)
    if found.verdict is Verdict.FAIL:
        return OtherPolicy(policy, Verdict.FAIL, _first(found.reasons))
    if any(state.problem for state in progress.states):
        return OtherPolicy(policy, Verdict.NOT_MEASURED, "a trial did not come to its end")
    if found.verdict is Verdict.PASS and progress.done:
        return OtherPolicy(policy, Verdict.PASS, "")
    if found.verdict is Verdict.NOT_MEASURED:
        return OtherPolicy(policy, Verdict.NOT_MEASURED, _first(found.reasons))
    undecided = [
        state.cell.f1.decision
        for state in progress.states
        if state.cell.f1 is not None and state.cell.f1.verdict is Verdict.INCONCLUSIVE
    ]
    more = _more_pairs(undecided)
    return OtherPolicy(
        policy, Verdict.INCONCLUSIVE, _wanting(found, progress, undecided, more), more
    )


def _wanting(
    found: FeatureVerdict, progress: Progress, undecided: Sequence[Decision], more: int | None
) -> str:
    """What keeps the verdict open."""
    unknown = next((one for one in undecided if one.more is None), None)
    parts = []
    if more:
        parts.append(f"about {counted(more, 'more pair')} a cell would decide F1 in 80 %")
    elif unknown is not None:
        parts.append(f"F1 is open after {counted(unknown.n, 'pair')} ({unknown.more_reason})")
    if not progress.done:
        trials = counted(len(progress.wanted), "more trial")
        parts.append(f"at least {trials} wanted, for pair {progress.rounds}")
    return "; ".join(parts) or _first(found.reasons)


def _more_pairs(undecided: Sequence[Decision]) -> int | None:
    """Most pairs that an open cell still needs; None if one of them cannot be decided so."""
    needed = [decision.more for decision in undecided if decision.more is not None]
    return max(needed) if needed and len(needed) == len(undecided) else None


def _first(reasons: Sequence[str]) -> str:
    """The first reason, and how many more there are."""
    if not reasons:
        return ""
    rest = len(reasons) - 1
    more = f" (and {counted(rest, 'more reason')})" if rest else ""
    return f"{reasons[0]}{more}"
