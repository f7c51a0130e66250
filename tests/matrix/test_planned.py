"""Plans as they are stored: what was written before there were shapes is read as add-one."""

from __future__ import annotations

import json

from harness.matrix.planned import Plan
from harness.matrix.shapes import Shape


def test_a_plan_comes_back_as_it_was_written(make_judge):
    plan = make_judge("amp,swa,planted_schedule", shape="pairs").plan
    assert Plan.model_validate(json.loads(plan.model_dump_json())) == plan
    assert len(plan.uncombined) == 1


def test_a_plan_from_before_there_were_shapes_is_add_one(make_judge):
    plan = make_judge("amp,swa").plan
    old = plan.model_dump(mode="json")
    del old["shape"], old["uncombined"]
    for feature in old["features"]:
        del feature["parts"]
        for cell in feature["cells"]:
            del cell["apart"]
    found = Plan.model_validate(old)
    assert found == plan
    assert found.shape is Shape.ADD_ONE
