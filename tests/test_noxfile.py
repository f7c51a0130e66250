from __future__ import annotations

from pathlib import Path

import nox
import pytest

from noxfile import lower_bounds

ROOT = Path(__file__).parents[1]


def test_each_requirement_is_pinned_to_its_lower_bound():
    wanted = ["pandas>=2.2.2", "Jinja2 >= 3.1, < 4", "a[extra]>=1; python_version > '3'"]
    assert lower_bounds(wanted, []) == ["pandas==2.2.2", "jinja2==3.1", "a==1"]


def test_pins_are_taken_as_they_are():
    assert lower_bounds(["Torch>=2.9", "b>=1"], ["torch==2.13.0"]) == ["torch==2.13.0", "b==1"]


@pytest.mark.parametrize("text", ["a", "a<3", "a==1", "a>=1,>=2"])
def test_a_requirement_without_one_lower_bound_is_named(text):
    with pytest.raises(ValueError, match=f"{text.split(',')[0]}.* names no lowest version"):
        lower_bounds([text], [])


def test_every_dependency_of_the_project_has_a_lower_bound():
    project = nox.project.load_toml(ROOT / "pyproject.toml")["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["hpo"]]
    assert len(lower_bounds(wanted, [])) == len(wanted) > 20
