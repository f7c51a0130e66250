"""The report as JUnit XML: what CI servers show beside the tests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element, SubElement, tostring

from harness.gates.words import Verdict

if TYPE_CHECKING:
    from harness.gates.cell import Cell
    from harness.report.summary import FeatureSummary, Summary

_FORBIDDEN: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_COUNTED: Final = ("failure", "error", "skipped")
_NOT_MEASURED: Final = "not measured"


def to_junit(summary: Summary) -> str:
    """One suite a candidate: a case for each gate of each cell, and one for the verdict.

    PASS is a case without more, FAIL a failure; INCONCLUSIVE and what was not measured are skipped,
    with the sentence. The case of the verdict says what no single gate does, such as F1 pooled over
    hardware; where a crash kept a cell from being measured, it is an error. Characters that XML
    forbids become U+FFFD.

    Returns:
        The document, with its declaration of UTF-8.
    """
    root = Element("testsuites", name="ablation")
    for one in summary.features:
        root.append(_suite(summary, one))
    _count(root)
    document: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return document.decode() + "\n"


def _suite(summary: Summary, one: FeatureSummary) -> Element:
    suite = Element("testsuite", name=_clean(one.planned.name))
    properties = SubElement(suite, "properties")
    said = {
        "verdict": one.word.value,
        "claim": one.planned.claim,
        "policy": summary.plan.policy.value,
        "reference": one.planned.reference,
        "rules": one.verdict.rules.sentence,
        "commits": ", ".join(summary.commits),
    }
    for name, value in said.items():
        SubElement(properties, "property", name=name, value=_clean(value))
    for cell in one.verdict.cells:
        for gate in dict.fromkeys((*cell.answers, *cell.gates)):
            suite.append(_gate(one, cell, gate))
    suite.append(_verdict(one))
    _count(suite)
    return suite


def _gate(one: FeatureSummary, cell: Cell, gate: str) -> Element:
    key = cell.key
    where = f"{key.model} on {key.data}, {key.hardware}"
    case = _case(f"{one.planned.name}: {where}", gate)
    result = cell.gates.get(gate)
    if result is None:
        _say(case, "skipped", _unmeasured(one, cell))
    elif gate in cell.reported:
        _say(case, "skipped", f"reported and not judged: {result.sentence}")
    elif cell.invalid_baseline:
        _say(case, "skipped", cell.sentence)
    else:
        _answer(case, result.verdict, result.sentence)
    return case


def _unmeasured(one: FeatureSummary, cell: Cell) -> str:
    """Why a gate has no answer: the crash that kept the cell from having one, if there was."""
    for state in one.progress.states:
        if state.cell.key == cell.key and state.problem is not None:
            return f"{_NOT_MEASURED}: {state.problem.detail}"
    return _NOT_MEASURED


def _verdict(one: FeatureSummary) -> Element:
    case = _case(one.planned.name, "verdict")
    if one.word is Verdict.NOT_MEASURED and one.problems:
        _say(case, "error", one.why)
    else:
        _answer(case, one.word, one.why)
    return case


def _case(group: str, name: str) -> Element:
    return Element("testcase", classname=_clean(group), name=_clean(name))


def _answer(case: Element, verdict: Verdict, sentence: str) -> None:
    if verdict is Verdict.FAIL:
        _say(case, "failure", sentence)
    elif verdict is not Verdict.PASS:
        _say(case, "skipped", sentence)
    else:
        SubElement(case, "system-out").text = _clean(sentence)


def _say(case: Element, tag: str, sentence: str) -> None:
    text = _clean(sentence)
    found = SubElement(case, tag, message=text)
    if tag != "skipped":
        found.set("type", tag)
        found.text = text


def _count(parent: Element) -> None:
    parent.set("tests", str(sum(1 for _ in parent.iter("testcase"))))
    for tag in _COUNTED:
        plural = tag if tag == "skipped" else f"{tag}s"
        parent.set(plural, str(sum(1 for _ in parent.iter(tag))))


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
