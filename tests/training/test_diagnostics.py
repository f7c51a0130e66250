"""What a collapsed run leaves behind; its advice fits what the run already does."""

from __future__ import annotations

import json
from typing import ClassVar

import numpy as np
import pytest
import torch

from harness.feature import Claim, Feature, make_arm
from harness.files import read_json
from harness.result import Collapse, FitResult, Scores
from harness.selection import parse
from harness.training.diagnostics import diagnose, recommend, to_text, write
from harness.training.live import LiveRun


class Scaling(Feature):
    """Own a gradient scaler."""

    name: ClassVar[str] = "scaling"
    claim: ClassVar[Claim] = Claim.SPEED

    def grad_scaler(self, run):
        return torch.amp.GradScaler(run.device.type)


@pytest.fixture
def collapsed(make_spec, make_record):
    """A run and a result with a given rule: ``collapsed("one_class_twice", last={...})``."""

    def make(rule, arm="", *, last=None, gate=None, features=(), **settings):
        made = make_arm(parse(arm) if arm else ())
        run = LiveRun(make_spec((*made, *features), **settings))
        last = {"gradient_norm": 0.5, "learning_rate": 1e-3, "auc": 0.7, **(last or {})}
        scores = None
        if gate is not None:
            label = np.zeros(len(gate), np.int64)
            scores = Scores(np.arange(len(gate)), label, np.array(gate, np.float32), 0.7)
        return run, FitResult(
            history=(make_record(0), make_record(1, **last)),
            best_epoch=1,
            threshold=0.3,
            select=scores,
            gate=scores,
            collapse=Collapse(rule=rule, epoch=1, detail="it collapsed."),
            notes=("a note",),
        )

    return make


SAFE = {"predicted_safe": 20, "predicted_vulnerable": 0}
VULNERABLE = {"predicted_safe": 0, "predicted_vulnerable": 20}
REMEDIES = "class_weights+weighted_sampler+focal_loss"


@pytest.mark.parametrize(
    ("rule", "given", "wanted", "unwanted"),
    [
        ("not_finite", {}, ["it is 1.0e-03; try 1.0e-04"], ["Clip gradients", "bf16", "AUC"]),
        ("not_finite", {"clip_norm": 0}, ["Clip gradients"], ["bf16"]),
        ("not_finite", {"arm": "lr_finder"}, ["lr_finder chose it"], ["Clip gradients"]),
        ("not_finite", {"arm": "amp[dtype=fp16]"}, ["without amp[dtype=fp16], or in bf16"], []),
        ("not_finite", {"arm": "amp[dtype=bf16]"}, ["Lower the learning rate"], ["bf16"]),
        ("not_finite", {"features": (Scaling(),)}, ["Train without scaling"], []),
        ("one_class_twice", {"last": SAFE}, ["add class_weights or focal_loss or weig"], ["AUC"]),
        (
            "one_class_twice",
            {"last": SAFE, "arm": "focal_loss"},
            ["although focal_loss is on: train longer"],
            ["add "],
        ),
        (
            "one_class_twice",
            {"last": VULNERABLE, "arm": REMEDIES},
            ["3 features counter the class imbalance (class_weights, focal_loss, weig"],
            ["weaken"],
        ),
        (
            "one_class_twice",
            {"last": VULNERABLE, "arm": "class_weights"},
            ["weaken class_weights"],
            ["take one out"],
        ),
        ("one_class_twice", {"last": VULNERABLE}, ["Everything is predicted vulnerable"], ["add "]),
        (
            "one_class_twice",
            {"last": {**SAFE, "learning_rate": 0.5}},
            ["5.0e-01 is high for Adam"],
            [],
        ),
        ("one_class_twice", {"last": SAFE, "batch_size": 2}, ["Batches of 2 hold 0."], []),
        (
            "one_class_twice",
            {"last": SAFE, "batch_size": 2, "arm": "weighted_sampler"},
            [],
            ["Batches of 2"],
        ),
        (
            "one_class_twice",
            {"last": {**SAFE, "gradient_norm": 1e-9}},
            ["nothing reaches the weights"],
            [],
        ),
        ("one_class", {"last": SAFE, "gate": [0.4, 0.9]}, ["predicted vulnerable"], ["safe"]),
        ("one_class", {"last": VULNERABLE, "gate": [0.1, 0.2]}, ["predicted safe"], []),
        (
            "one_class",
            {"last": {**SAFE, "auc": 0.52}, "gate": [0.1, 0.2]},
            ["hardly better than chance (AUC 0.52"],
            [],
        ),
    ],
)
def test_advice_fits_the_rule_and_the_run(collapsed, rule, given, wanted, unwanted):
    run, result = collapsed(rule, **given)
    advice = recommend(run, result)
    text = "\n".join(advice)
    assert advice
    assert all(part in text for part in wanted), text
    assert not any(part in text for part in unwanted), text


def test_an_unknown_rule_still_gives_advice(collapsed):
    assert recommend(*collapsed("something_new")) == [
        "Train again with another seed, and without features if that collapses too."
    ]


def test_the_report_holds_history_distribution_configuration_and_advice(collapsed, tmp_path):
    run, result = collapsed("one_class_twice", "swa", last=SAFE)
    report = diagnose(run, result)
    write(report, tmp_path)
    assert read_json(tmp_path / "diagnostics.json") == json.loads(json.dumps(report))
    label = run.graphs.label[run.train]
    assert report["train_graphs"] == len(label)
    assert report["train_vulnerable"] == label.sum()
    assert [record["predicted_safe"] for record in report["history"]] == [10, 20]
    assert report["configuration"]["arm"] == ["swa"]
    assert report["recommendations"]
    assert report["notes"] == ["a note"]


def test_the_page_says_the_same_in_words(collapsed, tmp_path):
    run, result = collapsed("one_class_twice", last=SAFE)
    report = diagnose(run, result)
    write(report, tmp_path)
    text = (tmp_path / "diagnostics.txt").read_text("utf-8")
    assert text == to_text(report)
    assert text.startswith("COLLAPSED (one_class_twice): it collapsed.")
    for part in ("What to try:", "a note", "Training graphs: ", "predicted_vulnerable", "planted"):
        assert part in text


def test_numbers_that_are_not_finite_become_null(collapsed, tmp_path):
    run, result = collapsed("not_finite", last={"train_loss": float("nan")})
    report = diagnose(run, result)
    assert report["history"][1]["train_loss"] is None
    write(report, tmp_path)


def test_a_run_that_did_not_collapse_is_not_diagnosed(collapsed):
    run, result = collapsed("one_class")
    healthy = FitResult(**{**vars(result), "collapse": None})
    with pytest.raises(ValueError, match="only a collapsed run"):
        diagnose(run, healthy)
