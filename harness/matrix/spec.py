"""A trial: one training run of (arm, model, data set, seed, hardware), with a content key."""

from __future__ import annotations

import inspect
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict

import harness
from harness.feature import FEATURES, Feature, make_arm
from harness.graphs.splits import PROTOCOL
from harness.hardware import versions
from harness.hashing import canonical_json, content_key, files_key, text_key
from harness.matrix.imports import sources_of
from harness.selection import Selection, parse, parse_single
from harness.settings import TrainingSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.hardware import Hardware

_NO_PART_OF_TRAINING = (
    "calibration", "cli", "cluster", "config", "declared", "doctor", "gates", "graphs/build",
    "graphs/catalog", "graphs/code", "graphs/reference", "graphs/sources", "matrix", "report",
    "sharing", "testing", "tuning", "__main__",
)  # fmt: skip
KEY_PACKAGES = ("torch", "torch-geometric")


class TrialSpec(BaseModel):
    """Everything that fixes the outcome of a trial; its hash is the trial's key.

    Attributes:
        data: content hash of the data set.
        data_name: its short name.
        protocol: of the split.
        model: selection of the model.
        arm: selections of the features, sorted.
        settings: of the loop.
        seed: of initialisation, data order and split.
        device: torch device type.
        hardware: canonical name of the hardware.
        threads: of the training process.
        sources: hash of each feature's file and of the model's, of what these import from their
            projects, the engine aside, and of the files that a feature reads.
        engine: hash of the training code.
        versions: of torch and PyG.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str
    data_name: str
    protocol: str
    model: str
    arm: tuple[str, ...]
    settings: TrainingSettings
    seed: int
    device: str
    hardware: str
    threads: int
    sources: dict[str, str]
    engine: str
    versions: dict[str, str]

    @cached_property
    def key(self) -> str:
        """The trial's content key, 32 hexadecimal digits."""
        return content_key(self.model_dump(mode="json"))

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy, whose key is its own."""
        copied = super().model_copy(update=update, deep=deep)
        copied.__dict__.pop("key", None)
        return copied

    @property
    def features(self) -> tuple[Feature, ...]:
        """The arm's features, made anew."""
        return make_arm(selection for text in self.arm for selection in parse(text))

    @property
    def model_selection(self) -> Selection:
        """The model's selection."""
        return parse_single(self.model)

    def __str__(self) -> str:
        arm = "+".join(self.arm) or "nothing"
        return f"{self.model} on {self.data_name}, seed {self.seed}, with {arm}"


def make_spec(
    data: str,
    data_name: str,
    model: Selection,
    arm: tuple[Feature, ...],
    settings: TrainingSettings,
    hardware: Hardware,
) -> TrialSpec:
    """Describe the trial of seed 0 on this machine, with the sources as they are now."""
    return TrialSpec(
        data=data,
        data_name=data_name,
        protocol=PROTOCOL,
        model=str(model),
        arm=tuple(sorted(map(str, arm))),
        settings=settings,
        seed=0,
        device=hardware.device,
        hardware=hardware.kind,
        threads=hardware.threads,
        sources=source_keys(model, arm),
        engine=engine_key(),
        versions={name: hardware.versions[name] for name in KEY_PACKAGES},
    )


def by_seed(first: TrialSpec, count: int) -> dict[str, TrialSpec]:
    """Trials that differ in their seed alone, from 0 on, by their keys.

    Args:
        first: any of them.
        count: of seeds.
    """
    # The canonical form is written once: large plans have tens of thousands of trials.
    # No member before the seed holds others, and a text has no bare quotes: the first is the one.
    text = canonical_json(first.model_dump(mode="json") | {"seed": 0})
    before, name, after = text.partition('"seed":')
    specs = (first.model_copy(update={"seed": seed}) for seed in range(count))
    return {text_key(f"{before}{name}{spec.seed}{after[1:]}"): spec for spec in specs}


def source_keys(model: Selection, arm: tuple[Feature, ...]) -> dict[str, str]:
    """Hashes of all beside the engine that decides how a run ends, as it is now.

    Each feature's file and the model's, what these import from their projects, and the content of
    the files that a feature reads.
    """
    from harness.models import MODELS  # noqa: PLC0415 - loads torch, which reports do without

    entry = MODELS.get(model.name)
    sources = {feature.name: FEATURES.get(feature.name).source_key() for feature in arm}
    sources[f"model:{model.name}"] = entry.source_key
    read = {f"model:{model.name}": entry.make, **{one.name: type(one) for one in arm}}
    imported = {f"{name}, imports": imported_key(source) for name, source in read.items()}
    inputs = {f"inputs:{feature.name}": feature.inputs_key() for feature in arm}
    return sources | {name: key for name, key in (imported | inputs).items() if key}


@cache
def engine_key() -> str:
    """Hash of all code that a training run goes through; another hash makes new trials."""
    return files_key(engine_files())


def cache_key() -> str:
    """Hash of what all trials have in common: the engine and the versions in their keys."""
    installed = versions()
    return content_key([engine_key(), {name: installed[name] for name in KEY_PACKAGES}], 16)


def engine_files() -> list[Path]:
    """The files behind ``engine_key``, sorted."""
    return sorted(path for path in engine_root().rglob("*.py") if is_engine(path))


def engine_root() -> Path:
    """The folder of the harness's own code."""
    return Path(harness.__file__).resolve().parent


def is_engine(file: Path) -> bool:
    """Whether a training run goes through a Python file, of that name or of one that is gone."""
    root = engine_root()
    return (
        file.is_relative_to(root)
        and file.suffix == ".py"
        and not file.relative_to(root).as_posix().startswith(_NO_PART_OF_TRAINING)
    )


@cache  # a module is loaded once too
def imported_key(source: type | Callable[..., object]) -> str:
    """Hash of what a feature's or a model's file imports; "" where that is the engine alone."""
    file = Path(inspect.getfile(source)).resolve()
    found = sources_of(file, source.__module__, is_engine)
    return content_key([[one.file.name, one.content.hex()] for one in found], 16) if found else ""
