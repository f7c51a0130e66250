"""The roadmap's five questions, each answered from the runs that were measured."""

from __future__ import annotations

import statistics
from collections import Counter
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.doctor.answer import Ailment, Answer
from harness.gates.collapse import probability_bound
from harness.matrix.sizing import amount
from harness.report.slices import Predictions, all_slices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.doctor.evidence import Evidence
    from harness.matrix.footprint import Footprint
    from harness.matrix.sizing import GraphSizes
    from harness.report.slices import Slice

WANTED_F1: Final = 0.80
DAY: Final = 24 * 3600.0
BATCH: Final = 32
_LARGEST: Final = 1 << 16
_LATE: Final = 0.9
_FALL: Final = 0.03
_UNSTEADY: Final = 0.05


def is_f1_enough(seen: Evidence) -> Answer:
    """Is the baseline's F1 above 0.80, and above the classifiers that it should not lose to?"""
    question = f"Is the baseline's F1 above {WANTED_F1:.2f}?"
    if not seen.f1:
        return Answer(question, "no run gave predictions", ailments=frozenset({Ailment.LOW_F1}))
    mean = statistics.fmean(seen.f1)
    spread = statistics.stdev(seen.f1) if len(seen.f1) > 1 else 0.0
    lines = [f"gate F1 {mean:.3f} +- {spread:.3f} over {len(seen.f1)} seeds"]
    lines += [f"{name}: {f1:.3f}" for name, f1 in seen.references.items()]
    ailments = {Ailment.LOW_F1} if mean <= WANTED_F1 else set()
    beaten = [name for name, f1 in seen.references.items() if f1 >= mean]
    if beaten:
        ailments.add(Ailment.BELOW_REFERENCE)
        lines.append(f"it does not beat {' and '.join(beaten)}: look at the data before features")
    return Answer(question, "yes" if mean > WANTED_F1 else "no", tuple(lines), frozenset(ailments))


def are_failures_systematic(seen: Evidence) -> Answer:
    """Does it fail on one kind of graph: by size, and by language or CWE where they are known?"""
    question = "Does it fail systematically?"
    if not seen.gates:
        return Answer(question, "not known: no run gave predictions")
    lines, failures = [], []
    for kind, slices in all_slices(Predictions.of(seen.gates), seen.graphs).items():
        lines += [f"by {kind}:", *(f"  {_row(one)}" for one, _ in slices)]
        failures += [said for one, rest in slices if (said := one.failure(rest)) is not None]
    ailments = frozenset({Ailment.MISSES_SLICE} if failures else ())
    return Answer(question, "yes" if failures else "no", (*failures, *lines), ailments)


def _row(one: Slice) -> str:
    return (
        f"{one.name}: {one.graphs} graphs, {one.positives} vulnerable; F1 {one.confusion.f1:.2f}, "
        f"recall {one.confusion.recall:.2f}, predicted vulnerable {one.predicted:.1%} where "
        f"{one.share:.1%} are"
    )


def is_it_fast_enough(seen: Evidence, graphs: int, epochs: int) -> Answer:
    """Does a run take less than a day on so many graphs for so many epochs?

    Args:
        seen: the measured runs.
        graphs: of the data set that is to be trained on.
        epochs: of a run on it.
    """
    question = f"Does a run on {graphs:,} graphs for {epochs} epochs take less than 24 h?"
    records = [record for history in seen.histories for record in history]
    if not records:
        return Answer(question, "not known: no run kept its epochs")
    train = statistics.median(record.train_seconds for record in records)
    evaluation = statistics.median(record.evaluation_seconds for record in records)
    per_graph = train / max(seen.trained, 1)
    whole = (train + evaluation) * graphs / max(len(seen.graphs), 1) * epochs
    ailments = frozenset({Ailment.SLOW} if whole >= DAY else ())
    lines = (
        (
            f"measured: {train:.2f} s of training and {evaluation:.2f} s of evaluation an epoch of "
            f"{len(seen.graphs)} graphs, {1 / per_graph:,.0f} graphs a second, beside other runs"
        ),
        f"extrapolated: {_hours(whole)}; the cost is linear in graphs and epochs",
    )
    return Answer(question, "no" if ailments else "yes", lines, ailments)


def does_it_fit(sizes: GraphSizes, footprint: Footprint, memory: int) -> Answer:
    """Does a batch of 32 fit into the memory, and which is the largest that does?

    Args:
        sizes: of the graphs.
        footprint: of the model.
        memory: bytes that a run may use.
    """
    question = f"Does a batch of {BATCH} graphs fit into memory?"
    need = footprint.of(sizes.nodes(BATCH))
    fitting = [
        size
        for size in (1 << power for power in range(_LARGEST.bit_length()))
        if footprint.of(sizes.nodes(size)) <= memory
    ]
    largest = max(fitting, default=0)
    most = f"{largest} or more" if largest == _LARGEST else str(largest)
    lines = (
        (
            f"a batch of {BATCH} takes about {amount(need)} at its peak, estimated; "
            f"{amount(memory)} are free"
        ),
        f"the largest power of two that fits is {most if largest else 'none'}",
        f"the largest graph has {sizes.most} nodes, half of them {sizes.median} at most",
    )
    ailments = frozenset({Ailment.LARGE} if need > memory else ())
    return Answer(question, "no" if ailments else "yes", lines, ailments)


def does_it_collapse(seen: Evidence) -> Answer:
    """Do runs collapse, and what do their histories show?"""
    question = "Do runs collapse?"
    rules = Counter(one.collapse.rule for one in seen.results if one.collapse is not None)
    runs, collapses = len(seen.results), rules.total()
    bound = probability_bound(collapses, runs)
    lines = [f"{collapses} of {runs} runs: probability below {bound:.1%} with 95 % confidence"]
    lines += [f"{count} by the rule {rule}" for rule, count in rules.items()]
    ailments = {Ailment.COLLAPSES} if collapses else set()
    for ailment, line in _read_histories(seen):
        ailments |= {ailment} if ailment is not None else set()
        lines.append(line)
    return Answer(question, "yes" if collapses else "no", tuple(lines), frozenset(ailments))


def _read_histories(seen: Evidence) -> Iterator[tuple[Ailment | None, str]]:
    whole = [
        (history, result)
        for history, result in zip(seen.histories, seen.results, strict=True)
        if history and result.best_epoch >= 0
    ]
    if not whole:
        return
    one_class = [
        sum(0 in (record.predicted_safe, record.predicted_vulnerable) for record in history)
        for history, _ in whole
    ]
    yield None, f"epochs that predicted one class at 0.5: {statistics.fmean(one_class):.1f} a run"
    last = [(result.best_epoch + 1) / len(history) for history, result in whole]
    late = sum(share >= _LATE for share in last)
    if late > len(whole) / 2:
        yield (
            Ailment.UNDERTRAINED,
            f"F1 still rises at the end: the best epoch is late in {late} of {len(whole)} runs",
        )
    fall = statistics.fmean(
        history[result.best_epoch].f1 - history[-1].f1 for history, result in whole
    )
    falling = all(
        history[-1].train_loss < history[result.best_epoch].train_loss for history, result in whole
    )
    if fall > _FALL and falling:
        yield (
            Ailment.OVERFITS,
            f"it overfits: training loss falls and select F1 too, by {100 * fall:.1f} points",
        )
    jumps = [float(np.std(np.diff([record.f1 for record in history]))) for history, _ in whole]
    if statistics.fmean(jumps) > _UNSTEADY:
        jump = 100 * statistics.fmean(jumps)
        yield Ailment.UNSTEADY, f"from epoch to epoch select F1 jumps by {jump:.1f} points"


def _hours(seconds: float) -> str:
    if seconds >= 2 * DAY:
        return f"{seconds / DAY:.1f} days"
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.1f} min"  # noqa: PLR2004 - an hour
