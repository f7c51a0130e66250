"""The first problem of a value that pydantic refuses, whatever its depth."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError, model_validator

from harness.errors import first_problem, sentence_of


class Inner(BaseModel):
    sizes: list[int]


class Outer(BaseModel):
    inner: Inner
    other: int = 0

    @model_validator(mode="after")
    def check(self):
        if self.other < 0:
            raise ValueError("is below nothing")
        return self


@pytest.mark.parametrize(
    ("value", "field", "what"),
    [
        ({"inner": {"sizes": [1, "x"]}, "other": "y"}, "inner.sizes.1", "valid integer"),
        ({"other": "y"}, "inner", "Field required"),
        ({"inner": {"sizes": []}, "other": -1}, "", "is below nothing"),
    ],
)
def test_field_message_and_value_of_the_first_problem(value, field, what):
    with pytest.raises(ValidationError) as caught:
        Outer(**value)
    found, message, refused = first_problem(caught.value)
    assert found == field
    assert what in message
    assert refused == ("x" if field.startswith("inner.") else value)


def test_a_sentence_names_the_field_of_a_validation_and_is_the_message_of_all_else():
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(dict[str, list[int]]).validate_python({"a": [1, "x"]})
    assert sentence_of(caught.value).startswith("field 'a.1': Input should be a valid integer")
    assert sentence_of(ValueError("the arrays differ")) == "the arrays differ"
