"""One cell's verdict: the answers of its gates put together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.gates.collapse import CollapseResult, judge_collapse
from harness.gates.f1_gate import F1Result, evidence, judge_f1
from harness.gates.words import GateResult, Json, Verdict, all_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.gates.collapse import Outcome
    from harness.gates.f1 import Pair
    from harness.gates.f1_gate import Evidence
    from harness.gates.policy import Rules

F1 = "f1"
COLLAPSE = "collapse"


@dataclass(frozen=True, order=True)
class CellKey:
    """Which cell of a candidate: model and data set as selections, hardware by canonical name."""

    model: str
    data: str
    hardware: str


@dataclass(frozen=True, eq=False)
class Cell:
    """A cell and what its gates said.

    Attributes:
        key: which cell.
        gates: results by the name of the gate; empty where nothing was run.
        required: names of the gates that must PASS; one that is missing was not measured.
        reported: names of the gates whose answer is shown and changes no verdict.
    """

    key: CellKey
    gates: Mapping[str, GateResult] = field(default_factory=dict)
    required: tuple[str, ...] = (F1, COLLAPSE, "time")
    reported: tuple[str, ...] = ()

    @property
    def answers(self) -> dict[str, Verdict]:
        """The verdict of every gate, required or given, save those that are reported alone."""
        names = dict.fromkeys(
            name for name in (*self.required, *self.gates) if name not in self.reported
        )
        return {
            name: self.gates[name].verdict if name in self.gates else Verdict.NOT_MEASURED
            for name in names
        }

    @property
    def f1(self) -> F1Result | None:
        """The F1 gate's result; None where it was not run."""
        result = self.gates.get(F1)
        return result if isinstance(result, F1Result) else None

    @property
    def invalid_baseline(self) -> bool:
        """Whether the baseline itself collapses, so that nothing can be held against it."""
        result = self.gates.get(COLLAPSE)
        return isinstance(result, CollapseResult) and result.invalid_baseline

    @property
    def verdict(self) -> Verdict:
        """FAIL if a gate fails, PASS if all pass, else INCONCLUSIVE; NOT_MEASURED if none ran."""
        return Verdict.INCONCLUSIVE if self.invalid_baseline else all_of(self.answers.values())

    @property
    def sentence(self) -> str:
        """The verdict and the gates that keep it from PASS."""
        name = f"{self.key.model} on {self.key.data}, {self.key.hardware}"
        if self.invalid_baseline:
            return f"{name}: {self.gates[COLLAPSE].sentence}"
        if self.verdict is Verdict.PASS:
            return f"{name}: {self.verdict}"
        if self.verdict is Verdict.NOT_MEASURED:
            return f"{name}: not measured"
        held = [
            f"{gate} {self.gates[gate].sentence if gate in self.gates else 'not measured'}"
            for gate, answer in self.answers.items()
            if (
                answer is Verdict.FAIL
                if self.verdict is Verdict.FAIL
                else answer is not Verdict.PASS
            )
        ]
        return f"{name}: {'; '.join(held)}"

    def to_json(self) -> dict[str, Json]:
        """The cell as JSON data."""
        return {
            "model": self.key.model,
            "data": self.key.data,
            "hardware": self.key.hardware,
            "verdict": self.verdict.value,
            "sentence": self.sentence,
            "gates": {
                name: self.gates[name].to_json()
                if name in self.gates
                else {"verdict": Verdict.NOT_MEASURED.value}
                for name in dict.fromkeys((*self.answers, *self.gates))
            },
        }


def judge_runs(
    candidate: Sequence[Outcome],
    baseline: Sequence[Outcome],
    pairs: Sequence[Pair],
    rules: Rules,
    *,
    budget: int = 10,
    read: Callable[[Sequence[Pair]], Evidence] = evidence,
) -> tuple[F1Result, CollapseResult]:
    """Put the F1 and the collapse question to the quality runs of one cell.

    Collapse comes first: pairs with a collapsed run are kept out of the F1 differences, and the
    others stay in the order of the plan.

    Args:
        candidate: how the candidate's runs ended, in the order of the plan.
        baseline: how the baseline's runs ended, in the order of the plan.
        pairs: predictions of the pairs whose two runs gave some, in any order.
        rules: what the feature is held to.
        budget: pairs after which F1 is INCONCLUSIVE, 3..20.
        read: gives the evidence of pairs; another than ``evidence`` may remember it.

    Raises:
        GateInputError: if a seed is used twice, or predictions of a pair do not fit.
    """
    collapse = judge_collapse(candidate, baseline)
    by_seed = {pair.seed: pair for pair in pairs}
    usable = [by_seed[seed] for seed in collapse.usable if seed in by_seed]
    f1 = judge_f1(read(usable), rules.margin, neutral=rules.neutral, budget=budget)
    return f1, collapse
