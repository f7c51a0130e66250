"""Optuna's plots of a study in one HTML file that needs nothing else, and a table of its trials."""

from __future__ import annotations

import warnings
from contextlib import closing
from html import escape
from typing import TYPE_CHECKING

import optuna
from plotly.offline import get_plotlyjs

from harness.files import write_whole
from harness.tuning.sampler import ERROR, counts
from harness.tuning.storage import open_storage
from harness.tuning.study import quiet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from optuna.trial import FrozenTrial

    from harness.tuning.search import Search, Winner

REPORT = "report.html"
PLOTS = {
    "Course of the search": "plot_optimization_history",
    "Epochs of each trial": "plot_intermediate_values",
    "What matters": "plot_param_importances",
    "Values and F1": "plot_slice",
    "Values together": "plot_parallel_coordinate",
    "Distribution of F1": "plot_edf",
    "When each trial ran": "plot_timeline",
}
_STYLE = (
    "body{font-family:sans-serif;max-width:70em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:.2em .6em;text-align:right}"
)


def write_plots(search: Search, winner: Winner, folder: Path) -> Path:
    """Write ``report.html`` into a folder; gives its path.

    Raises:
        OSError: if the folder cannot be written.
    """
    with closing(open_storage(search.storage, folder)) as storage, quiet():
        study = optuna.load_study(study_name=winner.study, storage=storage.optuna)
        parts = [
            f"<h2>{escape(title)}</h2>{_plot(getattr(optuna.visualization, name), study)}"
            for title, name in PLOTS.items()
        ]
        trials = study.get_trials(deepcopy=False)
    text = (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        f"<title>{escape(winner.study)}</title><style>{_STYLE}</style>"
        f"<script>{get_plotlyjs()}</script></head><body><h1>{escape(winner.study)}</h1>"
        f"<p>{escape(winner.sentence)}</p>{''.join(parts)}<h2>Trials</h2>{_table(trials)}"
        "</body></html>\n"
    )
    path = folder / REPORT
    write_whole(path, text.encode())
    return path


def _plot(draw: Callable[[optuna.Study], Any], study: optuna.Study) -> str:
    """One plot; a sentence where the trials are too few, or too much alike, for it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # says that what is drawn means nothing
            figure = draw(study)
    except (UserWarning, ValueError, RuntimeError, ZeroDivisionError) as error:
        return f"<p>Not drawn: {escape(str(error))}</p>"
    if not figure.data:
        return "<p>Not drawn: there are too few trials.</p>"
    html: str = figure.to_html(full_html=False, include_plotlyjs=False)
    return html


def _table(trials: list[FrozenTrial]) -> str:
    names = list(dict.fromkeys(name for trial in trials for name in trial.params))
    head = "".join(f"<th>{escape(name)}</th>" for name in ("trial", "state", "F1", *names))
    return f"<table><tr>{head}</tr>{''.join(_row(trial, names) for trial in trials)}</table>"


def _row(trial: FrozenTrial, names: list[str]) -> str:
    state = trial.state.name.lower() if counts(trial) or not trial.state.is_finished() else "lost"
    value = "" if trial.value is None else f"{trial.value:.4f}"
    cells = [str(trial.number), trial.user_attrs.get(ERROR, state), value]
    cells += [_cell(trial.params.get(name)) for name in names]
    return f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in cells)}</tr>"


def _cell(value: object) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
