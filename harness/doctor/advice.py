"""Which features are worth trying against what was found, and what is known of them already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.doctor.answer import Ailment
from harness.feature import FEATURES
from harness.gates.words import Verdict
from harness.report.rows import said
from harness.report.summary import those_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.doctor.answer import Answer
    from harness.report.summary import FeatureSummary

REMEDIES: Final[Mapping[Ailment, Mapping[str, str]]] = {
    Ailment.LOW_F1: {
        "ensemble": "several members err in different places",
        "hpo": "learning rate and size may not suit these data",
        "swa": "an average over epochs generalises better where F1 jumps",
        "param_groups": "encoder and head may want other rates",
    },
    Ailment.COLLAPSES: {
        "lr_finder": "a rate that is too high collapses; the range test caps it",
        "class_weights": "the rare class counts as much as the frequent one",
        "weighted_sampler": "every batch sees both classes",
        "focal_loss": "easy graphs of the frequent class count less",
    },
    Ailment.OVERFITS: {
        "ensemble": "averaging members that overfit differently",
        "swa": "an average of late epochs overfits less",
    },
    Ailment.UNSTEADY: {
        "swa": "an average over epochs evens jumps out",
        "grad_accumulation": "larger effective batches give steadier steps",
    },
    Ailment.SLOW: {
        "amp": "matrix products in half the bytes",
        "ddp": "several processes share every batch",
    },
    Ailment.LARGE: {
        "grad_accumulation": "small batches that step as one large one",
        "amp": "activations take half the bytes",
    },
}
FIRST: Final[Mapping[Ailment, str]] = {
    Ailment.BELOW_REFERENCE: "before any feature: a bag of tokens does as well, so look for wrong "
    "labels, leaks and graphs that lack what tells the classes apart",
    Ailment.UNDERTRAINED: "before any feature: train longer (--preset full), or a feature that "
    "only speeds learning up will look like a gain",
    Ailment.MISSES_SLICE: "no training feature mends graphs that are missed as a kind: look at how "
    "they are built, at their labels, and at models that see further (more layers)",
    Ailment.SLOW: "a smaller hidden size or node budgets (--batch-nodes) cost less than features",
    Ailment.LARGE: "a node budget (--batch-nodes) bounds the memory of a batch",
}


@dataclass(frozen=True)
class Advice:
    """One thing to do, and why.

    Attributes:
        what: a feature's name, or "" for what comes before features.
        why: in one sentence.
        known: its stored verdict here; "" if it was not judged.
    """

    what: str
    why: str
    known: str = ""

    @property
    def sentence(self) -> str:
        """The advice in one line."""
        if not self.what:
            return self.why
        known = f" (judged here: {self.known})" if self.known else ""
        return f"{self.what}: {self.why}{known}"


def advise(answers: Iterable[Answer], judged: Sequence[FeatureSummary]) -> list[Advice]:
    """What is worth trying, in order: what comes before features, then features not yet failed.

    Args:
        answers: to the five questions.
        judged: what the store says of features.
    """
    found = {ailment for answer in answers for ailment in answer.ailments}
    reasons: dict[str, list[str]] = {}
    for ailment in Ailment:
        if ailment in found:
            for name, why in REMEDIES.get(ailment, {}).items():
                reasons.setdefault(name, []).append(f"{why} ({ailment})")
    advice = [Advice("", why) for ailment, why in FIRST.items() if ailment in found]
    verdicts = {name: list(those_of(name, judged)) for name in reasons if name in FEATURES.names()}
    known = {name: "; ".join(_known(name, one) for one in ones) for name, ones in verdicts.items()}
    return advice + [
        Advice(name, "; ".join(reasons[name]), known[name])
        for name in sorted(verdicts, key=lambda name: _failed(verdicts[name]))
    ]


def _failed(judged: Sequence[FeatureSummary]) -> bool:
    return bool(judged) and all(one.word is Verdict.FAIL for one in judged)


def _known(name: str, one: FeatureSummary) -> str:
    given = "" if one.planned.name == name else f"{one.planned.name}: "
    return f"{given}{said(one.word)}, {one.why}"
