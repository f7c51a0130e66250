"""Plans of different shapes are different questions; plans of pairs join like any other."""

from __future__ import annotations

import json

import pytest

from harness.errors import StoreError
from harness.hardware import describe
from harness.matrix.inside import Inside
from harness.matrix.join import join_plans
from harness.matrix.received import read_plan

SHAPES = ["add-one", "drop-one", "pairs"]
ONE, TWO = (describe("cpu", threads).kind for threads in (1, 2))


@pytest.fixture
def plan_of(make_judge):
    def make(shape, features="amp,swa", **more):
        return make_judge(features, shape=shape, **more).plan

    return make


def join(*plans):
    folders = {content: "here" for plan in plans for content in plan.data}
    return join_plans([(f"store-{k}", plan) for k, plan in enumerate(plans)], folders)


@pytest.mark.parametrize("one", SHAPES)
@pytest.mark.parametrize("other", SHAPES)
def test_plans_of_different_shapes_are_refused_with_the_reason(plan_of, one, other):
    plans = plan_of(one), plan_of(other)
    if one == other:
        assert join(*plans).shape == one
        return
    with pytest.raises(StoreError, match=f"shape differs: {one} in store-0, {other} in store-1"):
        join(*plans)


def test_pairs_of_two_machines_keep_the_arms_of_each(plan_of):
    here = plan_of("pairs", hardware=[ONE, TWO])
    elsewhere = here.model_dump(mode="json")
    for feature in elsewhere["features"]:
        for cell in feature["cells"]:
            cell.update(here=False, baseline=[], candidate=[], apart=[])
    elsewhere["features"][0]["cells"].reverse()
    joint = join(here, here)
    assert joint.features == here.features
    ran, missing = joint.features[0].cells
    assert len(ran.apart) == 2
    assert not any(missing.arms)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda plan: plan.update(shape="add-one"), "has 2 parts, which is not the shape add-one"),
        (lambda plan: plan["features"][0].update(parts=["amp"]), "has 1 parts"),
        (lambda plan: _cell(plan)["apart"].pop(), "are not those of their cell"),
        (lambda plan: _cell(plan)["apart"][0].pop(), "are not those of their cell"),
        (lambda plan: _cell(plan)["apart"][0].reverse(), "are not those of their cell"),
        (lambda plan: _cell(plan)["apart"][1].__setitem__(0, "0" * 32), "are not those of their"),
    ],
)
def test_a_plan_whose_parts_do_not_fit_is_not_believed(plan_of, tmp_path, change, says):
    written = plan_of("pairs").model_dump(mode="json")
    place = tmp_path / "plan.json"
    place.write_text(json.dumps(written))
    assert read_plan(Inside(tmp_path)).shape == "pairs"
    change(written)
    place.write_text(json.dumps(written))
    with pytest.raises(StoreError, match=says):
        read_plan(Inside(tmp_path))


def _cell(plan):
    return plan["features"][0]["cells"][0]
