"""Features whose verdict is known before they are judged, and how each is put to the harness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.calibration.line import Line
from harness.gates.collapse import CollapseResult
from harness.gates.policy import Policy
from harness.gates.words import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.gates.verdict import FeatureVerdict

VERDICT: Final = "verdict"
LARGEST: Final = "largest difference"
RUNS: Final = "candidate runs"
_LONG: Final = 12


@dataclass(frozen=True)
class Case:
    """A feature of known effect.

    Attributes:
        name: of the case, and of the folder of its results.
        truth: what is planted, in one sentence.
        candidate: selection of the feature.
        wanted: right answers by what they answer: ``VERDICT``, a gate's name, ``LARGEST``
            (absolute F1 difference) or ``RUNS``.
        baseline: of ``--baseline``.
        policy: of ``--policy``.
        timing_epochs: of ``--timing-epochs``; visits of a few tenths of a second would leave a
            slowdown that is near the margin to chance.
    """

    name: str
    truth: str
    candidate: str
    wanted: Mapping[str, str]
    baseline: str = "plain"
    policy: Policy = Policy.ROADMAP
    timing_epochs: int = 3

    def line(self, verdict: FeatureVerdict) -> Line:
        """What is wanted beside what a verdict on one cell says."""
        found = obtained(verdict)
        both = {name: (right, found.get(name, "-")) for name, right in self.wanted.items()}
        return Line(
            f"{self.name}: {self.truth}",
            ", ".join(f"{name} {right}" for name, (right, _) in both.items()),
            ", ".join(f"{name} {came}" for name, (_, came) in both.items()),
            all(right == came for right, came in both.values()),
        )


def obtained(verdict: FeatureVerdict) -> dict[str, str]:
    """Everything that a case may ask of a verdict on one cell."""
    (cell,) = verdict.cells
    found = {VERDICT: str(verdict.verdict)}
    found |= {name: str(answer) for name, answer in cell.answers.items()}
    if cell.f1 is not None and cell.f1.evidence.differences:
        found[LARGEST] = f"{max(map(abs, cell.f1.evidence.differences)):g}"
    collapse = cell.gates.get("collapse")
    if isinstance(collapse, CollapseResult):
        found[RUNS] = str(len(collapse.candidate))
    return found


def known_cases() -> tuple[Case, ...]:
    """The cases, each with one thing that can go wrong."""
    passes, fails, open_ = map(str, (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE))
    nothing = "calibration_nothing"
    neutral = {"f1": passes, LARGEST: "0", "collapse": passes}
    return (
        Case(
            "no-op",
            "the baseline under another name",
            nothing,
            {"f1": fails, LARGEST: "0", VERDICT: fails},
        ),
        Case(
            "insight",
            "the same, held to a claim of insight alone",
            nothing,
            {**neutral, "time": passes, VERDICT: passes},
            policy=Policy.CLAIMS,
        ),
        Case(
            "gain",
            "every eighth answer is mended",
            "calibration_gain",
            {"f1": passes, "collapse": passes, "time": passes, VERDICT: passes},
            baseline="calibration_loss",
        ),
        Case(
            "loss",
            "every eighth answer is turned around",
            "calibration_loss",
            {"f1": fails, VERDICT: fails},
        ),
        Case(
            "slower by a tenth",
            "each epoch takes 10 % longer",
            "calibration_slower[share=0.1]",
            {**neutral, "time": passes, VERDICT: passes},
            policy=Policy.CLAIMS,
            timing_epochs=_LONG,
        ),
        Case(
            "slower by a third",
            "each epoch takes 30 % longer",
            "calibration_slower[share=0.3]",
            {"time": fails, VERDICT: fails},
            policy=Policy.CLAIMS,
            timing_epochs=_LONG,
        ),
        Case(
            "now and then slower",
            "one epoch of four takes three times as long",
            "calibration_slower[share=2.0,every=4]",
            {"f1": passes, "time": open_, VERDICT: open_},
            policy=Policy.CLAIMS,
        ),
        Case(
            "collapse",
            "one run of three predicts one class only",
            "calibration_collapse",
            {"collapse": fails, RUNS: "3", VERDICT: fails},
        ),
        Case(
            "baseline collapses",
            "one baseline run of three predicts one class only",
            "calibration_rescue",
            {"collapse": open_, VERDICT: open_},
            baseline="calibration_collapse",
            policy=Policy.CLAIMS,
        ),
    )
