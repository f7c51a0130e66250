"""Tables of ``ablation.toml``: errors with the field and exit code 2, and no flags of theirs."""

from __future__ import annotations

import signal
import sys

import pytest

from harness.cli import main


@pytest.fixture
def said(tmp_path, monkeypatch, capfd):
    """Run ``ablate run`` beside a configuration; gives exit code and what was said."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(configuration, *flags):
        (tmp_path / "ablation.toml").write_text(configuration)
        monkeypatch.setattr(sys, "argv", ["ablate", "run", "--features", "amp", *flags])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return ended.value.code, out + err

    return run


@pytest.mark.parametrize(
    ("configuration", "says"),
    [
        ("[overrides.amp]\nmargn = 0.01\n", "entry 'overrides.amp.margn': there is no setting"),
        ("[overrides.amp]\nmargin = nan\n", "entry 'overrides.amp.margin'"),
        ("[overrides.ampp]\nmargin = 0.01\n", "overrides.ampp: there is no feature 'ampp'"),
        ("[complexity]\nlines = 1.5\n", "entry 'complexity.lines'"),
    ],
)
def test_a_table_that_cannot_be_used_ends_with_exit_code_2(said, configuration, says):
    code, text = said(configuration)
    assert code == 2
    assert says in text


def test_tables_are_no_flags(said):
    code, text = said("", "--overrides", "x")
    assert code == 2
    assert "No such option" in text
    assert "--complexity" not in said("", "--help")[1]
