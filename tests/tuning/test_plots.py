"""The report: one file with every plot, that needs nothing else and believes no text."""

from __future__ import annotations

import re

import numpy as np
import pytest

pytest.importorskip("optuna", reason="the extra hpo is not installed")

from harness.training.fit import fit
from harness.tuning.plots import PLOTS


def peak(spec):
    return 0.9 - 0.2 * abs(np.log10(spec.settings.learning_rate) + 2)


def test_all_plots_stand_in_one_file_that_loads_nothing(make_spec, made_up, search, tmp_path):
    asked = search(space="learning_rate=1e-4..1e-1:log, hidden=8|16", trials=8)
    won = asked.run(make_spec(), made_up(peak), folder=tmp_path)
    path = asked.report(won, tmp_path)
    text = path.read_text()
    assert path == tmp_path / "report.html"
    assert "Not drawn" not in text
    assert text.count('class="plotly-graph-div"') == len(PLOTS)
    assert text.count("<script src") == text.count("<link ") == 0
    assert won.sentence in text
    assert len(re.findall("<tr><td>", text)) == 8


def test_plots_that_one_trial_is_too_few_for_are_said_not_to_be_drawn(
    make_spec, made_up, search, tmp_path
):
    asked = search(trials=1, pruner="none")
    won = asked.run(make_spec(), made_up(peak), folder=tmp_path)
    assert "Not drawn" in asked.report(won, tmp_path).read_text()


def test_texts_out_of_the_storage_are_escaped(make_spec, search, tmp_path):
    def broken(spec):
        if spec.settings.learning_rate > 0.003:
            raise ValueError("<script>alert(1)</script>")
        return fit(spec)

    asked = search(trials=8)
    won = asked.run(make_spec(epochs=1), broken, folder=tmp_path)
    assert won.failed
    text = asked.report(won, tmp_path).read_text()
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text
