"""What the page says in words and tables alone: the baseline, sizes, interactions, provenance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.matrix.shapes import Shape
from harness.report.html.charts import Table
from harness.report.markdown import SIZES
from harness.report.rows import COMPLEXITY_HEADERS, complexity_rows, figure_headers, figure_rows
from harness.report.shapes import INTERACTION_HEADERS, READING, arm_word, interaction_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.report.summary import Summary


@dataclass(frozen=True)
class Further:
    """A section that only some reports have.

    Attributes:
        id: anchor.
        title: heading.
        reading: how to read the table.
        table: of it.
    """

    id: str
    title: str
    reading: str
    table: Table


def preamble(summary: Summary) -> str:
    """Policy, arm, data and trials, in one paragraph."""
    plan = summary.plan
    data = "; ".join(
        f"{one.name}, {one.graphs} graphs of which {one.vulnerable} are vulnerable"
        for one in plan.data.values()
    )
    return (
        f"Policy {plan.policy.value}. {arm_word(plan.shape).capitalize()}: "
        f"{' + '.join(plan.baseline) or 'no feature'}. Data: {data}. {summary.trials} trials were "
        f"read; a fixed design of {summary.fixed_words} runs a cell takes {summary.fixed_design}."
    )


def worth(summary: Summary) -> Table:
    """The baseline beside the classifiers that no GNN should lose to."""
    shape = summary.plan.shape
    return _table(
        f"What the {arm_word(shape)} is worth",
        figure_headers(shape),
        figure_rows(summary.figures),
    )


def further(summary: Summary) -> list[Further]:
    """Interactions of pairs, and complexity, where there are any."""
    found = []
    if summary.plan.shape is Shape.PAIRS:
        table = _table("Interactions", INTERACTION_HEADERS, interaction_rows(summary))
        found.append(Further("interactions", "Interactions", READING, table))
    sizes = _table("Complexity and its limits", COMPLEXITY_HEADERS, complexity_rows(summary))
    if sizes.rows:
        found.append(Further("complexity", "Complexity", SIZES, sizes))
    return found


def provenance(summary: Summary) -> list[tuple[str, str]]:
    """Commits, data with their content hashes, stores, machines and versions."""
    plan = summary.plan
    found = [("commit", commit) for commit in summary.commits] or [("commit", "not known")]
    found += [
        (f"data {one.name}", f"{one.source}; content {key}") for key, one in plan.data.items()
    ]
    found += [
        (f"store {one.folder}", f"{', '.join(one.hardware)}; {_versions(one.versions)}")
        for one in plan.sources
    ]
    for machine in summary.machines:
        driver = f", CUDA {machine.driver}" if machine.driver else ""
        said = (
            f"{machine.name}, {machine.memory_gib:g} GiB{driver}; {machine.cpu}, "
            f"{machine.cores} cores, {machine.threads} threads a run; {machine.system}"
        )
        found += [(machine.kind, said), ("versions", _versions(machine.versions))]
    return found


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())


def _table(caption: str, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    return Table(caption, tuple(headers), tuple(map(tuple, rows)))
