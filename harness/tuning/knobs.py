"""A search space bound to a run: what each entry sets, within which limits, and setting it."""

from __future__ import annotations

import types
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from pydantic import ValidationError

from harness.errors import HarnessError, UsageError, first_problem
from harness.feature import join_arm, make_feature
from harness.models.registry import MODELS, model_values
from harness.selection import Scalar, Selection
from harness.settings import TrainingSettings
from harness.tuning.space import Entry, bad, parse_space

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from harness.feature import Feature
    from harness.result import FitSpec

GIVEN = ("epochs", "patience", "warmup_epochs", "checkpoint_every")
"""Settings that a search is given; it cannot choose how long it is allowed to train."""

SETTINGS = tuple(name for name in TrainingSettings.model_fields if name not in GIVEN)
TRAINING, MODEL = "training", "model"
DIGITS = 4

_SLOT_OF = {"learning_rate": "learning_rate", "schedule": "scheduler"}


@dataclass(frozen=True)
class Knob:
    """One thing that is searched.

    Attributes:
        entry: as it is written, numbers in the field's own type.
        owner: ``training``, ``model`` or a feature's name.
        field: of the owner.
        whole: whether it takes whole numbers; of a range.
    """

    entry: Entry
    owner: str
    field: str
    whole: bool

    @property
    def name(self) -> str:
        """The name under which the search knows it."""
        return self.entry.name

    def read(self, value: Any) -> Scalar:
        """The value that is used where the search drew this one: four digits, within the range."""
        if self.entry.choices or self.whole:
            return value  # type: ignore[no-any-return]
        rounded = float(f"{value:.{DIGITS}g}")
        return min(max(rounded, float(self.entry.low)), float(self.entry.high))


@dataclass(frozen=True)
class Space:
    """What is searched in a run.

    Attributes:
        knobs: in the order of the text.
        dropped: features of the run that the search takes out, since it chooses in their place.
    """

    knobs: tuple[Knob, ...]
    dropped: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ", ".join(str(replace(knob.entry, optional=False)) for knob in self.knobs)

    def read(self, drawn: Mapping[str, Any]) -> dict[str, Scalar]:
        """The values that are used, by name."""
        return {knob.name: knob.read(drawn[knob.name]) for knob in self.knobs}

    def apply(self, spec: FitSpec, values: Mapping[str, Scalar]) -> FitSpec:
        """The run with these values.

        Raises:
            UsageError: naming the field that cannot take its value.
        """
        changes: dict[str, dict[str, Scalar]] = {}
        for knob in self.knobs:
            if knob.name in values:
                changes.setdefault(knob.owner, {})[knob.field] = values[knob.name]
        kept = [feature for feature in spec.arm if feature.name not in self.dropped]
        model = Selection(spec.model.name, {**spec.model.values, **changes.get(MODEL, {})})
        model_values(model)
        return replace(
            spec,
            settings=_settings(spec.settings, changes.get(TRAINING, {})),
            model=model,
            arm=join_arm(_changed(feature, changes.get(feature.name, {})) for feature in kept),
        )


def bind(text: str, spec: FitSpec, outside: Collection[str] = ()) -> Space:
    """Find what the entries of a space set in a run, and try their limits.

    Where the learning rate is searched, a feature that does nothing but choose one is taken out.

    Args:
        text: of the space.
        spec: the run.
        outside: features of the run whose fields cannot be searched here.

    Raises:
        UsageError: naming the entry whose name is unknown, or whose values the field refuses.
    """
    knobs = [knob for entry in parse_space(text) if (knob := _bound(entry, spec, outside))]
    if not knobs:
        raise UsageError(
            "nothing of the search space is in this run",
            where=f"search space '{text}'",
            mend=_known(spec),
        )
    space = Space(tuple(knobs), tuple(_dropped(knobs, spec)))
    for knob in knobs:
        entry = knob.entry
        for value in entry.choices or (entry.low, entry.high):
            try:
                space.apply(spec, {knob.name: value})
            except HarnessError as error:
                raise bad(str(entry), error.what, error.mend or _known(spec)) from error
    return space


def _bound(entry: Entry, spec: FitSpec, outside: Collection[str]) -> Knob | None:
    owner, dot, field = entry.name.rpartition(".")
    annotation = None
    if not dot:
        owner, annotation = _unqualified(field, spec)
    elif owner == TRAINING and field in SETTINGS:
        annotation = TrainingSettings.model_fields[field].annotation
    elif owner == MODEL:
        annotation = _of_model(spec).get(field)
    else:
        annotation = _of_feature(owner, spec).get(field)
    if annotation is None:
        if entry.optional:
            return None
        raise bad(str(entry), _unknown(owner, field, spec), _known(spec))
    if owner in outside:
        raise bad(
            str(entry),
            f"feature '{owner}' wraps the whole fit, so it cannot be searched from inside of it",
            "search its fields with: ablate tune",
        )
    return _typed(entry, owner, field, annotation)


def _unqualified(field: str, spec: FitSpec) -> tuple[str, Any]:
    if field in SETTINGS:
        return TRAINING, TrainingSettings.model_fields[field].annotation
    return MODEL, _of_model(spec).get(field)


def _of_model(spec: FitSpec) -> dict[str, Any]:
    fields = MODELS.get(spec.model.name).values.model_fields
    return {name: info.annotation for name, info in fields.items()}


def _of_feature(name: str, spec: FitSpec) -> dict[str, Any]:
    for feature in spec.arm:
        if feature.name == name:
            fields = type(feature).model_fields
            return {field: info.annotation for field, info in fields.items()}
    return {}


def _typed(entry: Entry, owner: str, field: str, annotation: Any) -> Knob:
    if entry.choices:
        return Knob(entry, owner, field, whole=False)
    kinds = set(get_args(annotation)) if _is_union(annotation) else {annotation}
    if float in kinds:
        return Knob(entry, owner, field, whole=False)
    if int not in kinds:
        raise bad(str(entry), f"'{field}' takes no numbers", "give choices: name=a|b|c")
    ends = (entry.low, entry.high, entry.step or 1)
    if any(value != int(value) for value in ends):
        raise bad(str(entry), f"'{field}' takes whole numbers alone")
    step = None if entry.step is None else int(entry.step)
    whole = replace(entry, low=int(entry.low), high=int(entry.high), step=step)
    return Knob(whole, owner, field, whole=True)


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType)


def _dropped(knobs: list[Knob], spec: FitSpec) -> list[str]:
    found = []
    for knob in knobs:
        slot = _SLOT_OF.get(knob.field) if knob.owner == TRAINING else None
        for feature in spec.arm:
            hooks = feature.hooks()
            if slot is None or slot not in hooks:
                continue
            if hooks != ("learning_rate",):
                raise bad(
                    str(knob.entry),
                    f"feature '{feature.name}' chooses the {knob.field} in this run",
                    "take the entry out, or that feature",
                )
            found.append(feature.name)
    return found


def _settings(settings: TrainingSettings, changes: Mapping[str, Scalar]) -> TrainingSettings:
    try:
        return TrainingSettings(**{**settings.model_dump(), **changes})
    except ValidationError as error:
        name, what, _ = first_problem(error)
        raise UsageError(f"setting '{name}': {what}") from error


def _changed(feature: Feature, changes: Mapping[str, Scalar]) -> Feature:
    if not changes:
        return feature
    return make_feature(Selection(feature.name, {**feature.selection().values, **changes}))


def _unknown(owner: str, field: str, spec: FitSpec) -> str:
    if owner == TRAINING or field in GIVEN:
        return f"there is no setting '{field}' to search"
    if owner == MODEL:
        return f"model '{spec.model.name}' has no value '{field}', and there is no such setting"
    if owner not in {feature.name for feature in spec.arm}:
        return f"feature '{owner}' is not in this run"
    return f"feature '{owner}' has no field '{field}'"


def _known(spec: FitSpec) -> str:
    fields = [f"{one.name}.{field}" for one in spec.arm for field in type(one).model_fields]
    names = (*SETTINGS, *_of_model(spec), *fields)
    return f"what can be searched in this run: {', '.join(names)}"
