"""The five questions put to every model and data set of a store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.doctor.advice import advise
from harness.doctor.evidence import gather
from harness.doctor.questions import (
    are_failures_systematic,
    does_it_collapse,
    does_it_fit,
    is_f1_enough,
    is_it_fast_enough,
)
from harness.matrix.footprint import measure
from harness.matrix.memory import available_memory
from harness.matrix.sizing import GraphSizes
from harness.report.summary import summarise
from harness.selection import parse_single

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.doctor.advice import Advice
    from harness.doctor.answer import Answer
    from harness.gates.words import Json
    from harness.matrix.judge import Judge


@dataclass(frozen=True)
class Case:
    """What was found of one model on one data set.

    Attributes:
        model: selection.
        data: name of the data set.
        answers: to the five questions, in their order.
        advice: what is worth trying.
    """

    model: str
    data: str
    answers: tuple[Answer, ...]
    advice: tuple[Advice, ...]

    def to_json(self) -> dict[str, Json]:
        """The case as JSON data."""
        return {
            "model": self.model,
            "data": self.data,
            "answers": [answer.to_json() for answer in self.answers],
            "advice": [{**vars(one), "sentence": one.sentence} for one in self.advice],
        }


def examine(
    judge: Judge, graphs: int, epochs: int, memory: Callable[[str], int] = available_memory
) -> list[Case]:
    """Put the questions; nothing is trained.

    Args:
        judge: of the store.
        graphs: of the data set to extrapolate times to; 0 for as many as were measured.
        epochs: of a run, likewise.
        memory: bytes that are free on a device.

    Raises:
        NotMeasuredError: if no run of the baseline is finished.
        DataError: if the data set is no longer there.
        StoreError: if a stored result is damaged.
    """
    summary = summarise(judge)
    cases = []
    for seen in gather(judge, summary.figures):
        device = seen.results[0].spec.device
        answers = (
            is_f1_enough(seen),
            are_failures_systematic(seen),
            is_it_fast_enough(seen, graphs or len(seen.graphs), epochs),
            does_it_fit(
                GraphSizes.of(seen.graphs),
                measure(parse_single(seen.model), seen.graphs, device),
                memory(device),
            ),
            does_it_collapse(seen),
        )
        advice = advise(answers, summary.features)
        cases.append(Case(seen.model, seen.graphs.info.name, answers, tuple(advice)))
    return cases
