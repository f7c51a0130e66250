"""From stored results to the gates: what a cell and a feature say after so many rounds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from harness.gates.benefit import judge_benefit
from harness.gates.cell import Cell, CellKey, judge_runs
from harness.gates.collapse import CLEAN_RUNS, partial_collapses
from harness.gates.complexity import COMPLEXITY, judge_complexity
from harness.gates.policy import GAIN, Policy, Rules, rules_for
from harness.gates.time import judge_time, log_ratios
from harness.gates.verdict import FeatureVerdict, judge_feature
from harness.gates.words import Verdict
from harness.matrix.blocks import memory_ratios, one_off_cost, to_block
from harness.matrix.replay import CellState, Progress, joined, replay

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.gates.complexity import ComplexityResult
    from harness.gates.f1 import Pair
    from harness.gates.f1_gate import F1Result
    from harness.gates.words import GateResult
    from harness.matrix.planned import Plan, PlannedCell, PlannedFeature
    from harness.matrix.results import Results
    from harness.matrix.store import Store


@dataclass(frozen=True)
class _Known:
    """What of a cell no round changes.

    Attributes:
        rules: what the feature is held to.
        bad: seeds whose baseline run collapsed.
        timed: answers of the gates that read timed blocks.
    """

    rules: Rules
    bad: frozenset[int]
    timed: dict[str, GateResult]


@dataclass
class Judge:
    """Judges cells and features of a plan from what is stored.

    Attributes:
        plan: what is asked.
        store: where results are.
        results: finished trials.
        failed: keys of trials that failed for good: in this campaign, or by what the store says
            where none is under way.
    """

    plan: Plan
    store: Store
    results: Results
    failed: set[str] = field(default_factory=set)
    _settled: dict[tuple[object, ...], CellState] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def rules(self, feature: PlannedFeature) -> Rules:
        """What a feature is held to."""
        changed = feature.override
        return rules_for(
            feature.claim,
            self.plan.policy,
            margin=changed.margin,
            max_ratio=changed.max_ratio,
            complexity=replace(self.plan.complexity, **changed.limits),
        )

    def under(self, policy: Policy) -> Judge:
        """A judge of the same results by another policy."""
        return replace(self, plan=self.plan.model_copy(update={"policy": policy}))

    def cell(self, feature: PlannedFeature, planned: PlannedCell, rounds: int) -> CellState:
        """Judge a cell on its first ``rounds`` pairs, as far as they are there.

        Baseline runs that collapsed are replaced by the next seed. Once F1 is decided only the
        candidate's runs go on, up to the ten that the collapse gate needs. The parts of a pair
        run beside it for the interaction; one that fails for good is none of the pair's gates.
        """
        return self._cell(feature, planned, rounds, self._known(self.rules(feature), planned))

    def _known(self, rules: Rules, planned: PlannedCell) -> _Known:
        if not planned.here:
            return _Known(rules, frozenset(), {})
        runs = [self.results.outcome(key) for key in planned.baseline if self.results.has(key)]
        bad = {run.seed for run in partial_collapses(runs, runs) if run.collapsed is not None}
        return _Known(rules, frozenset(bad), self._timed(planned, rules))

    def _cell(
        self, feature: PlannedFeature, planned: PlannedCell, rounds: int, known: _Known
    ) -> CellState:
        if not planned.here:
            return CellState(self._unjudged(planned, known), f1_open=False, runs_open=False)
        # A campaign replays a feature after each of its trials: what all its pairs are there for
        # is judged once.
        place = feature.name, planned.model, planned.data, planned.hardware, rounds, known.bad
        state = self._settled.get(place)
        if state is None:
            state = self._trained(feature, planned, rounds, known)
            if state.problem is None and not state.wanted:
                self._settled[place] = state
        if not known.timed or state.problem is not None:
            return state
        gates = {**state.cell.gates, **known.timed}
        return replace(state, cell=replace(state.cell, gates=gates))

    def _trained(
        self, feature: PlannedFeature, planned: PlannedCell, rounds: int, known: _Known
    ) -> CellState:
        """A cell by its quality runs alone."""
        rules, empty = known.rules, self._unjudged(planned, known)
        seeds = self._seeds(planned, rounds, known.bad)
        failed = self._failed(planned, seeds)
        if failed is not None:
            problem = self.store.failure(failed)
            return CellState(empty, problem=problem, f1_open=False, runs_open=False)
        paired, pairs = self._paired(planned, seeds)
        candidate = [self.results.outcome(planned.candidate[seed]) for seed in paired]
        baseline = [self.results.outcome(planned.baseline[seed]) for seed in paired]
        f1, collapse = judge_runs(
            candidate, baseline, pairs, rules, budget=self.plan.budget, read=self.results.evidence
        )
        f1_open = f1.verdict is Verdict.INCONCLUSIVE and f1.decision.n < self.plan.budget
        size = self._complexity(feature, f1, rules)
        f1_open |= size is not None and size.judged and size.open
        if collapse.invalid_baseline or collapse.verdict is Verdict.FAIL:
            f1_open = False
        runs_open = (
            collapse.verdict is Verdict.INCONCLUSIVE
            and not collapse.invalid_baseline
            and len(candidate) < max(CLEAN_RUNS, self.plan.budget)
        )
        gates: dict[str, GateResult] = {}
        if paired:
            gates = {"f1": f1, "collapse": collapse}
            gates |= {} if size is None else {COMPLEXITY: size}
        return CellState(
            replace(empty, gates=gates),
            pairs=len(paired),
            wanted=self._missing(planned, seeds), f1_open=f1_open, runs_open=runs_open,
            falling=f1_open and f1.decision.mean is not None and f1.decision.mean < rules.margin,
        )  # fmt: skip

    def _unjudged(self, planned: PlannedCell, known: _Known) -> Cell:
        key = CellKey(planned.model, self.plan.data[planned.data].name, planned.hardware)
        return Cell(key, required=known.rules.gates, reported=known.rules.reported)

    def _failed(self, planned: PlannedCell, seeds: Sequence[int]) -> str | None:
        """Key of a trial of some pairs that failed for good, if one did."""
        if not self.failed:
            return None
        arms = planned.baseline, planned.candidate
        keys = (arm[seed] for seed in seeds for arm in arms)
        return next((key for key in keys if key in self.failed and not self.results.has(key)), None)

    def _missing(self, planned: PlannedCell, seeds: Sequence[int]) -> tuple[str, ...]:
        keys = (arm[seed] for seed in seeds for arm in planned.arms)
        return tuple(key for key in keys if not self.results.has(key) and key not in self.failed)

    def _wanted(self, planned: PlannedCell, rounds: int, known: _Known) -> tuple[str, ...]:
        """What ``_cell(...).wanted`` is, without judging anything."""
        seeds = self._seeds(planned, rounds, known.bad) if planned.here else []
        return () if self._failed(planned, seeds) else self._missing(planned, seeds)

    def _complexity(
        self, feature: PlannedFeature, f1: F1Result, rules: Rules
    ) -> ComplexityResult | None:
        if feature.complexity is None or rules.complexity is None:
            return None
        return judge_complexity(
            feature.complexity, rules.complexity, f1, GAIN,
            pairs=self.plan.budget, judged=COMPLEXITY in rules.gates,
        )  # fmt: skip

    def _seeds(self, planned: PlannedCell, rounds: int, bad: frozenset[int]) -> list[int]:
        """The first seeds that hold ``rounds`` clean baseline runs, unknown ones taken as clean."""
        seeds: list[int] = []
        clean = 0
        for seed in range(len(planned.baseline)):
            if clean == rounds:
                break
            seeds.append(seed)
            clean += seed not in bad
        return seeds

    def _paired(self, planned: PlannedCell, seeds: Sequence[int]) -> tuple[list[int], list[Pair]]:
        """Seeds of the leading finished pairs, and those pairs that both gave predictions."""
        paired, pairs = [], []
        for seed in seeds:
            keys = planned.baseline[seed], planned.candidate[seed]
            if not all(map(self.results.has, keys)):
                break
            paired.append(seed)
            pair = self.results.pair(*keys)
            if pair is not None:
                pairs.append(pair)
        return paired, pairs

    def _timed(self, planned: PlannedCell, rules: Rules) -> dict[str, GateResult]:
        stored = self.store.read("blocks", planned.timing) or []
        if not stored:
            return {}
        blocks = [to_block(block) for block in stored]
        epochs = self.plan.trials[planned.candidate[0]].settings.epochs
        cost = one_off_cost(stored)
        found: dict[str, GateResult] = {
            "time": judge_time(blocks, epochs=epochs, cost=cost, max_ratio=rules.max_ratio)
        }
        if rules.benefit:
            faster = rules.benefit == "training time"
            ratios = log_ratios(blocks, epochs=epochs, cost=cost)
            found["benefit"] = judge_benefit(
                ratios if faster else memory_ratios(stored), rules.benefit
            )
        return found

    def progress(self, feature: PlannedFeature) -> Progress:
        """Replay a feature's rounds from the first on, as far as results are there.

        The cells of a feature on one kind of hardware go in the order of the plan. Each first gets
        the pairs that F1's first look needs, and goes on alone while its mean is below the
        margin: the first FAIL stops all cells, and this one is on its way to it, for the price of
        one model. Where none is, the next cell gets its first look, and then they go in lockstep,
        one pair each a round.
        So the outcome follows from what the trials found alone, not from the order in which they
        came. Kinds of hardware do not wait for each other: a merged store holds one that is done
        beside one that is not.
        """
        kinds = dict.fromkeys(planned.hardware for planned in feature.cells)
        parts = {
            kind: self._replay(
                feature, [planned for planned in feature.cells if planned.hardware == kind]
            )
            for kind in kinds
        }
        left = {kind: iter(part.states) for kind, part in parts.items()}
        return Progress(
            max((part.rounds for part in parts.values()), default=1),
            tuple(next(left[planned.hardware]) for planned in feature.cells),
            joined(*(part.wanted for part in parts.values())),
            next((part.step for part in parts.values() if part.step), ()),
            done=all(part.done for part in parts.values()),
        )

    def _replay(self, feature: PlannedFeature, cells: Sequence[PlannedCell]) -> Progress:
        rules = self.rules(feature)
        known = [self._known(rules, planned) for planned in cells]
        return replay(
            len(cells),
            lambda place, count: self._cell(feature, cells[place], count, known[place]),
            lambda place, count: self._wanted(cells[place], count, known[place]),
            budget=self.plan.budget,
            most=max(CLEAN_RUNS, self.plan.budget),
            all_gates=self.plan.all_gates,
        )

    def verdict(self, feature: PlannedFeature, progress: Progress | None = None) -> FeatureVerdict:
        """The feature's verdict after the rounds it has come through."""
        states = (progress or self.progress(feature)).states
        cells = [state.cell for state in states]
        return judge_feature(cells, [cell.key for cell in cells], self.rules(feature))
