"""The complexity gate: a feature stays within its budget, or its gain pays for going beyond it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.gates.f1_gate import judge_f1
from harness.gates.inputs import GateInputError, finite_number, whole_number
from harness.gates.words import Json, Verdict, counted

if TYPE_CHECKING:
    from harness.gates.f1_gate import F1Result

COMPLEXITY: Final = "complexity"
_MOST: Final = 1_000_000


@dataclass(frozen=True)
class Budget:
    """What one feature may cost its readers.

    The defaults leave room above what the built-in features need: 24 to 129 logical lines,
    cognitive complexity 1 to 30, 1 to 4 hooks and no dependency of their own.

    Attributes:
        lines: logical lines of its file: statements, docstrings left out.
        cognitive: cognitive complexity of its file, summed over functions.
        hooks: hooks that it overrides.
        dependencies: packages that it needs and the project does not name.
        factor: how many times the F1 margin the gain must exceed where the budget is exceeded.
    """

    lines: int = 150
    cognitive: int = 30
    hooks: int = 8
    dependencies: int = 0
    factor: float = 2.0

    def __post_init__(self) -> None:
        """Check the limits.

        Raises:
            GateInputError: naming the limit that is no whole number from 0 up, or a factor below 1.
        """
        for name in ("lines", "cognitive", "hooks", "dependencies"):
            whole_number(getattr(self, name), name, 0, _MOST)
        finite_number(self.factor, "factor", least=1.0)

    def changes(self) -> tuple[str, ...]:
        """Every limit that is not the default, in words."""
        pairs = zip(_WORDS, dataclasses.astuple(self), dataclasses.astuple(USUAL), strict=True)
        return tuple(
            f"{word} {ours:g} for {usual:g}" for word, ours, usual in pairs if ours != usual
        )


_LINES, _COGNITIVE, _HOOKS = "logical lines", "cognitive complexity", "hooks"
_DEPENDENCIES = "new dependencies"
_WORDS: Final = (_LINES, _COGNITIVE, _HOOKS, _DEPENDENCIES, "complexity factor")
USUAL: Final = Budget()


@dataclass(frozen=True)
class Measures:
    """What a candidate costs its readers.

    Attributes:
        lines: logical lines of its files.
        cognitive: cognitive complexity of its files.
        hooks: hooks that it overrides.
        dependencies: packages that it needs and the project does not name.
        features: features that are joined in it; each brings a budget of its own.
    """

    lines: int
    cognitive: int
    hooks: tuple[str, ...]
    dependencies: tuple[str, ...] = ()
    features: int = 1

    def __post_init__(self) -> None:
        """Check the measures.

        Raises:
            GateInputError: if there is not even one line or one feature, or a complexity below 0.
        """
        whole_number(self.lines, "lines", 1, _MOST)
        whole_number(self.cognitive, "cognitive", 0, _MOST)
        whole_number(self.features, "features", 1, _MOST)


@dataclass(frozen=True, eq=False)
class ComplexityResult:
    """The complexity gate's answer.

    Attributes:
        measures: of the candidate.
        budget: of one feature.
        f1: the F1 gate's result in the same cell, for the gain by lines.
        raised: the F1 question at ``factor`` times the margin, asked where the budget is exceeded.
        judged: whether the policy asks for the budget; if not, the answer is shown alone.
    """

    measures: Measures
    budget: Budget
    f1: F1Result
    raised: F1Result | None
    judged: bool = True

    @property
    def limits(self) -> dict[str, tuple[int, int]]:
        """Measure and limit by name; the limit is that of all features that are joined."""
        ours, limit, times = self.measures, self.budget, self.measures.features
        return {
            _LINES: (ours.lines, times * limit.lines),
            _COGNITIVE: (ours.cognitive, times * limit.cognitive),
            _HOOKS: (len(ours.hooks), times * limit.hooks),
            _DEPENDENCIES: (len(ours.dependencies), times * limit.dependencies),
        }

    @property
    def over(self) -> tuple[str, ...]:
        """Names of the limits that are exceeded."""
        return tuple(name for name, (value, limit) in self.limits.items() if value > limit)

    @property
    def verdict(self) -> Verdict:
        """PASS within budget, else that of the raised question; undecided at its last pair: FAIL.

        The burden of proof lies with the feature: what was not shown within the plan's pairs does
        not justify it.
        """
        if self.raised is None:
            return Verdict.PASS
        if self.raised.verdict is Verdict.INCONCLUSIVE and not self.raised.open:
            return Verdict.FAIL
        return self.raised.verdict

    @property
    def open(self) -> bool:
        """Whether another pair could still show the gain that a feature over budget needs."""
        return self.raised is not None and self.raised.open

    @property
    def per_100_lines(self) -> tuple[float | None, float | None, float | None]:
        """Points of F1 per 100 logical lines: mean, lower and upper bound of the F1 gate's gain."""
        said = self.f1.decision
        mean, lower, upper = (
            None if value is None else 100 * 100 * value / self.measures.lines
            for value in (said.mean, said.lower, said.upper)
        )
        return mean, lower, upper

    @property
    def size(self) -> str:
        """The measures beside their limits, in words."""
        added = self.measures.dependencies
        named = f" ({', '.join(added)})" if added else ""
        said = [f"{name} {value} of {limit}" for name, (value, limit) in self.limits.items()]
        return f"{', '.join(said)}{named}"

    @property
    def gain(self) -> str:
        """Points of F1 per 100 lines with their interval, in words; empty before the third pair."""
        mean, lower, upper = self.per_100_lines
        if mean is None or (lower is None and upper is None):
            return ""
        low = "an unknown bound" if lower is None else f"{lower:+.1f}"
        high = "an unknown bound" if upper is None else f"{upper:+.1f}"
        return f"{mean:+.1f} points of F1 per 100 lines, from {low} to {high}"

    @property
    def sentence(self) -> str:
        """The answer with its numbers, in one plain sentence."""
        start = f"{self.verdict}: {self.size}"
        if not self.judged:
            start = f"{self.size}; reported, not judged"
        if self.raised is not None:
            start += f"; over budget in {', '.join(self.over)}{self._proof(self.raised)}"
        return "; ".join(part for part in (start, self.gain) if part)

    def to_json(self) -> dict[str, Json]:
        """The answer as JSON data; n, mean, bounds, lean and more are of the raised question."""
        asked = (self.raised or self.f1).decision
        mean, lower, upper = self.per_100_lines
        final = self.verdict is not Verdict.INCONCLUSIVE
        return {
            "verdict": self.verdict.value,
            "judged": self.judged,
            "n": asked.n,
            "mean": asked.mean,
            "se": asked.se,
            "lower": asked.lower,
            "upper": asked.upper,
            "lean": None if final or asked.lean is None else asked.lean.value,
            "more": 0 if final else asked.more,
            "margin": asked.margin,
            "lines": self.measures.lines,
            "cognitive": self.measures.cognitive,
            "hooks": list(self.measures.hooks),
            "dependencies": list(self.measures.dependencies),
            "features": self.measures.features,
            "budget": dataclasses.asdict(self.budget),
            "over": list(self.over),
            "points_per_100_lines": mean,
            "points_per_100_lines_lower": lower,
            "points_per_100_lines_upper": upper,
            "sentence": self.sentence,
        }

    def _proof(self, raised: F1Result) -> str:
        said = raised.decision
        wanted = f", which takes a gain of more than {100 * said.margin:+g} points of F1"
        if said.lower is None:
            return f"{wanted}; {counted(said.n, 'pair')} show no bound yet"
        shown = f"{counted(said.n, 'pair')} show at least {100 * said.lower:+.1f}"
        more = f"; {said.more_sentence}" if self.open else ""
        return f"{wanted}; {shown}{more}"


def judge_complexity(
    measures: Measures,
    budget: Budget,
    f1: F1Result,
    usual_margin: float,
    *,
    pairs: int = 10,
    judged: bool = True,
) -> ComplexityResult:
    """Ask whether a candidate stays within its budget, or is worth going beyond it.

    Where a limit is exceeded, the F1 question is put again at ``budget.factor`` times the margin,
    to the same pairs, with the same boundaries: another margin of the same test, so its error is
    the same 5 %. It may need more pairs than the F1 gate itself, up to ``pairs``.

    Args:
        measures: of the candidate.
        budget: of one feature.
        f1: the F1 gate's result in the same cell.
        usual_margin: positive margin that is multiplied where the feature's own is not above 0.
        pairs: pairs after which what is not shown counts as not there, 3..20.
        judged: whether the policy asks for the budget.

    Raises:
        GateInputError: if ``usual_margin`` is not above 0 or ``pairs`` lies outside 3..20.
    """
    if not finite_number(usual_margin, "usual_margin") > 0:
        raise GateInputError(
            f"a positive margin is wanted, not {usual_margin}", where="usual_margin"
        )
    result = ComplexityResult(measures, budget, f1, None, judged)
    if not result.over:
        return result
    own = f1.decision.margin
    margin = budget.factor * (own if own > 0 else usual_margin)
    return dataclasses.replace(result, raised=judge_f1(f1.evidence, margin, budget=pairs))
