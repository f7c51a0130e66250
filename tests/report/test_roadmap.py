from __future__ import annotations

import re

import pytest

from harness.feature import FEATURES
from harness.report.roadmap import ADJUSTMENT, LOOP, to_roadmap


@pytest.fixture
def page(make_summary):
    return to_roadmap([make_summary(name="swa[start=0.6]"), make_summary(name="amp+swa")])


def _top(page):
    lines = [line for line in page.split("\n## ")[0].splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return rows[0], {row[0].replace("\\", ""): row[1:] for row in rows[2:]}


def test_every_feature_and_every_part_of_the_loop_is_an_item(page):
    _, rows = _top(page)
    assert rows.keys() == {*FEATURES.names(), *(item for item, *_ in LOOP), ADJUSTMENT[0]}


def test_an_item_says_where_it_is_and_what_was_measured_on_each_data_set(page):
    head, rows = _top(page)
    assert head == ["item", "where", "on planted"]
    where, verdict = rows["swa"]
    assert where.replace("\\", "") == "features/swa.py"
    assert re.fullmatch(r"swa.*: INCONCLUSIVE; [-+]\d+\.\d in 5 pairs", verdict)
    assert rows["hpo"][1] == "not measured"
    assert rows["checkpoints"][1] == "in every run"
    adjusted = rows[ADJUSTMENT[0]]
    assert [cell.replace("\\", "") for cell in adjusted] == [
        "features/class_weights.py", "within class_weights",
    ]  # fmt: skip


def test_parts_of_the_loop_have_sections_with_their_limitations(page):
    sections = page.split("\n## ")
    for item, *_ in LOOP:
        section = next(one for one in sections if one.startswith(f"{item}\n"))
        assert "\n\nKnown limitations: " in section, item
        assert "Source:" not in section, item


def test_a_section_has_numbers_reasons_and_the_cards_limitations(page):
    section = page.split("\n## swa\n")[1].split("\n## ")[0]
    assert "gcn" in section
    assert re.search(r"\| 5 +\|", section)
    assert "not measured" in section
    assert "Known limitations: " in section


def test_joined_features_are_no_item_of_their_own(page):
    assert "amp+swa" not in page


def test_the_page_says_where_it_comes_from(page):
    last = page.rsplit("## Where this comes from", 1)[1]
    assert "planted: 400 graphs, 120 vulnerable" in last
    assert "commit abc" in last


def test_markup_in_names_is_inert(make_summary):
    page = to_roadmap([make_summary(name="amp", note="<script>")])
    assert "<script>" not in page
