"""The page: every number in a table, one file that loads nothing, and no text is ever markup."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from harness.files import write_json
from harness.gates.words import Verdict
from harness.matrix.planned import PLAN_FILE
from harness.report.html.details import drawn_cells
from harness.report.html.page import to_html
from harness.report.rows import cell_rows
from harness.report.summary import summarise

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """The elements of a page, and the texts of its scripts and table cells."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.open, self.scripts, self.cells = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append("")
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] == ["script"]:
            self.scripts[-1] += data
        elif {"td", "th"} & set(self.open):
            self.cells[-1] += data

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="session")
def made(make_stored):
    judge = make_stored(hardware=["t4"])
    summary = summarise(judge)
    text = to_html(judge, summary)
    return summary, text, Page(text)


def test_a_screen_reader_can_tell_all_regions_and_charts_apart(made):
    _, _, page = made
    labels = [
        each["aria-label"] for each in page.all("div") if each.get("role") in ("region", "img")
    ]
    assert len(labels) > 20
    assert len(set(labels)) == len(labels)


def test_the_first_table_has_the_verdict_of_each_candidate(made):
    summary, text, page = made
    first = text.index("<table")
    assert text.index("<h1>") < first < text.index('<h2 id="f1">')
    for one in summary.features:
        assert any(cell.startswith(one.why) for cell in page.cells)


def test_every_section_that_the_navigation_names_is_there(made):
    _, text, _ = made
    targets = re.findall(r'<li><a href="#([a-z0-9]+)">', text)
    assert len(targets) == len(set(targets)) >= 9
    assert all(f'id="{target}"' in text for target in targets)


def test_ids_are_unique_and_every_element_is_closed(made):
    _, _, page = made
    assert page.open == []
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_every_chart_has_words_and_a_table_behind_it(made):
    _, text, page = made
    figures = text.split("<figure>")[1:]
    assert len(figures) == 2 + 4 * 4
    for each in figures:
        inside = each.split("</figure>")[0]
        assert 'role="img" aria-label="' in inside
        assert "<details><summary>" in inside
        assert '<th scope="col">' in inside
        assert '<th scope="row">' in inside
    plots = [attrs for attrs in page.all("div") if attrs.get("class") == "plot"]
    data = {one["id"] for one in page.all("script") if one.get("type") == "application/json"}
    assert {attrs["data-figure"] for attrs in plots} == data


def test_the_tables_hold_every_number_of_the_other_reports(made):
    summary, _, page = made
    for row in cell_rows(summary):
        for text in row:
            assert text in page.cells


def test_the_lines_of_what_is_wanted_are_drawn(made):
    _, _, page = made
    figures = [json.loads(text) for text in page.scripts if text.startswith('{"data"')]
    f1, time = figures[:2]
    assert [trace["x"] for trace in f1["data"] if trace["mode"] == "lines"] == [[2.0, 2.0]]
    assert [trace["x"] for trace in time["data"] if trace["mode"] == "lines"] == [[1.2, 1.2]]


def test_a_kind_of_hardware_that_was_not_run_says_so(made):
    _, text, page = made
    grid = text.split('<h2 id="hardware">')[1].split("<h2")[0]
    assert "t4" in grid
    assert grid.count("not run") >= 4
    assert "not run" in page.cells


def test_provenance_names_commit_data_versions_and_machine(made):
    summary, text, _ = made
    last = text.split('<h2 id="provenance">')[1].split("<script>")[0]
    for part in ("a" * 40, *summary.plan.data, "torch ", summary.hardware.kind):
        assert part in last


def test_cards_of_candidates_and_baseline_are_there(made):
    _, text, _ = made
    cards = text.split('<h2 id="cards">')[1].split("<h2")[0]
    assert [name for name in ("amp", "swa", "focal_loss") if f"<code>{name}</code>" in cards] == [
        "amp", "swa", "focal_loss"
    ]  # fmt: skip
    assert "Known limitations" in cards


def test_the_page_loads_nothing_and_is_small(made):
    _, text, page = made
    for _, attrs in page.tags:
        assert not attrs.keys() & {"src", "srcset", "action", "onclick", "onerror", "onload"}
    assert [attrs["href"] for attrs in page.all("link")] == ["data:,"]
    assert len(text.encode()) < 3e6
    assert page.scripts.count("") == 0


def test_the_same_store_gives_the_same_bytes(made, make_stored):
    judge = make_stored(hardware=["t4"])
    assert to_html(judge, summarise(judge)) == made[1]


def test_a_text_from_outside_is_never_markup(make_stored):
    judge = make_stored(hostile=True)
    text = to_html(judge, summarise(judge))
    page = Page(text)
    assert page.open == []
    assert not page.all("img")
    kinds = [attrs.get("type", "to run") for attrs in page.all("script")]
    assert kinds[-2:] == ["text/plain", "to run"]
    assert set(kinds[:-2]) == {"application/json"}
    assert "window.pwned" in " ".join(page.cells)
    for script in page.scripts[:-2]:
        figure = json.loads(script)
        assert "<" not in script
        assert "<img" not in json.dumps(figure)


def test_no_script_but_the_pages_own_may_run(made):
    _, _, page = made
    (policy,) = [a["content"] for a in page.all("meta") if "http-equiv" in a]
    rules = dict(one.strip().split(" ", 1) for one in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert "unsafe" not in rules["script-src"]
    assert rules["script-src"].count("'sha256-") == 2


def test_pairs_show_all_four_arms_and_their_interaction(make_stored):
    judge = make_stored("amp,swa", models="gcn", shape="pairs")
    text = to_html(judge, summarise(judge))
    assert "with amp alone" in text
    assert '<h2 id="interactions">' in text


def test_a_store_without_any_trial_is_a_page_too(make_stored):
    judge = make_stored(pairs=0)
    summary = summarise(judge)
    assert summary.verdict is not Verdict.PASS
    page = Page(to_html(judge, summary))
    assert page.open == []


def test_a_history_that_is_damaged_is_named_and_left_out(make_stored):
    judge = make_stored("amp", models="gcn")
    key = judge.plan.features[0].cells[0].candidate[0]
    judge.store.history_file(key).write_text("nonsense")
    assert "1 metrics history could not be read" in to_html(judge, summarise(judge))


def test_to_write_the_page_loads_neither_torch_nor_a_compiler(make_stored):
    judge = make_stored()
    write_json(judge.store.root / PLAN_FILE, judge.plan.model_dump(mode="json"))
    code = (
        "import sys\nfrom harness.cli import main\n"
        f"sys.argv = ['ablate', 'report', {str(judge.store.root)!r}, '--format', 'html']\n"
        "try:\n    main()\n"
        "except SystemExit:\n"
        "    assert not {'torch', 'torch_geometric', 'numba', 'sklearn'} & sys.modules.keys()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("<!doctype html>")
    assert "Known limitations" in done.stdout, "cards are read from the text of their files"


@pytest.mark.slow
def test_two_thousand_trials_fit_into_six_megabytes(make_stored):
    features = ",".join(f"swa[start={place / 1000}]" for place in range(100, 165))
    judge = make_stored(features, models="gcn,sage,gat", pairs=10)
    assert len(judge.store.keys()) == 1980
    text = to_html(judge, summarise(judge))
    assert text.count("<figure>") == 2 + 4 * 195
    assert len(text.encode()) < 6e6


def test_a_page_of_many_cells_draws_those_that_say_most_and_says_so(make_stored, monkeypatch):
    judge = make_stored("amp,swa,tensorboard")
    summary = summarise(judge)
    words = {
        (one.planned.name, number): state.cell.verdict
        for one in summary.features
        for number, state in enumerate(one.progress.states, start=1)
    }
    assert drawn_cells(summary) == words.keys()
    assert "Charts are drawn for" not in to_html(judge, summary)
    few = drawn_cells(summary, most=2)
    left = words.keys() - few
    assert len(few) == 2
    assert max(words[one] is Verdict.FAIL for one in few) <= min(
        words[one] is Verdict.FAIL for one in left
    )
    monkeypatch.setattr("harness.report.html.page.drawn_cells", lambda _: few)
    text = to_html(judge, summary)
    assert f"Charts are drawn for 2 of {len(words)} cells" in text
    assert text.count("<figure>") == 2 + 4 * 2
