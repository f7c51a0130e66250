"""One typed configuration of a run: file < environment < flags.

The file is ``ablation.toml`` in the working folder, or the one that ``--config`` names. The
environment variable of a flag is ``ABLATION_`` and its name in capitals.
"""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from reprlib import Repr
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from harness.errors import UsageError, first_problem
from harness.settings import TrainingSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE_NAME = "ablation.toml"
PREFIX = "ABLATION_"
MAX_BYTES, MAX_LINE = 256 << 10, 4096
"""Of a file and of a line in it: what a parser takes for a line grows with its square."""
_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 200
AUTO = 0
"""Batch size of ``--batch-size auto``, until a number is chosen."""


class Preset(StrEnum):
    """Named sets of defaults; every value can still be given by itself."""

    QUICK = "quick"
    FULL = "full"


PRESETS: dict[Preset, dict[str, Any]] = {
    Preset.QUICK: {"epochs": 12},
    Preset.FULL: {"epochs": 40, "patience": 10},
}


class BudgetValues(BaseModel):
    """Limits of a feature's complexity; None leaves one at its default."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    lines: int | None = Field(None, ge=0, le=1_000_000, description="logical lines of its file")
    cognitive: int | None = Field(
        None, ge=0, le=1_000_000, description="cognitive complexity of its file"
    )
    hooks: int | None = Field(None, ge=0, le=100, description="hooks that it overrides")
    dependencies: int | None = Field(
        None, ge=0, le=1000, description="packages that it adds to the project's own"
    )
    factor: float | None = Field(
        None, ge=1, le=100, description="times the F1 margin that a gain beyond budget must exceed"
    )

    @property
    def limits(self) -> dict[str, Any]:
        """The limits that are given, by name."""
        given = {name: getattr(self, name) for name in BudgetValues.model_fields}
        return {name: value for name, value in given.items() if value is not None}


class Override(BudgetValues):
    """What one candidate is held to instead of the policy's margins and the common budget."""

    margin: float | None = Field(None, ge=-1, le=1, description="F1 margin, 0.01 for one point")
    max_ratio: float | None = Field(
        None, gt=0, le=1000, description="ratio of training times that must not be reached"
    )


TABLES: dict[str, type[BudgetValues]] = {"complexity": BudgetValues, "overrides": Override}
"""Settings that are tables of the file; they are no flags."""


def _auto_is_zero(value: Any) -> Any:
    return AUTO if value == "auto" else value


class RunConfig(BaseSettings):
    """Values of ``ablate run`` and of the commands beside it; the fields are the flags."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, allow_inf_nan=False
    )

    data: str = Field("inverted_guard", description="data sets: selections or paths, by commas")
    features: str = Field(
        "all",
        description="features to judge, by commas; all: each by itself that trains once and in one "
        "process in a run, with the shape drop-one each of the baseline's",
    )
    models: str = Field("gcn,sage,gat", description="models, by commas")
    baseline: str = Field("phase1", description="phase1, plain, or features joined by +")
    shape: Literal["add-one", "drop-one", "pairs"] = Field(
        "add-one",
        description="add-one, drop-one (each out of all that baseline and features have) or pairs "
        "(every two together, with their interaction)",
    )
    seeds: int = Field(10, ge=3, le=20, description="pairs of a cell at most")
    preset: Preset = Field(Preset.QUICK, description="quick (12 epochs) or full (40 epochs)")
    policy: Literal["roadmap", "claims"] = Field("roadmap", description="roadmap or claims")
    jobs: int = Field(0, ge=0, le=4096, description="trials at once; 0: one per core")
    threads: int = Field(1, ge=1, le=1024, description="threads of one trial")
    device: str = Field("cpu", pattern=r"^(cpu|cuda(:\d+)?)$", description="cpu, cuda or cuda:N")
    hardware: str = Field("", description="kinds of hardware the verdict needs; empty: this one")
    executor: Literal["local", "ray"] = Field(
        "local", description="local, or ray: trials on the nodes of a Ray cluster"
    )
    address: str = Field(
        "auto", description="head of the Ray cluster, HOST:PORT; auto: the one of this machine"
    )
    timeout: float = Field(7200.0, gt=0, description="seconds after which a trial is killed")
    all_gates: bool = Field(False, description="measure every gate even where one has failed")  # noqa: FBT003
    plugins: str = Field("", description="Python files that register features, by commas")
    out: Path = Field(Path(".ablation/results"), description="folder of results and report")
    share: str = Field(
        "",
        description="URL below which several machines share results: s3://, gs://, az://, file://",
    )
    data_root: Path = Field(Path(".ablation/data"), description="folder of packed data sets")

    epochs: int | None = Field(None, ge=1, le=100_000, description="epochs of a trial")
    batch_size: Annotated[int | None, BeforeValidator(_auto_is_zero)] = Field(
        None, ge=AUTO, le=1_000_000, description="graphs a batch at most; auto: what is sensible"
    )
    batch_nodes: int | None = Field(
        None, ge=0, le=1_000_000_000, description="nodes a batch at most, larger graphs alone"
    )
    learning_rate: float | None = Field(
        None, gt=0, le=10, description="learning rate where no feature chooses one"
    )
    weight_decay: float | None = Field(None, ge=0, le=10, description="weight decay")
    schedule: Literal["constant", "plateau", "cosine"] | None = Field(
        None, description="constant, plateau or cosine"
    )
    clip_norm: float | None = Field(None, ge=0, description="largest gradient norm; 0: no clipping")
    patience: int | None = Field(None, ge=0, description="epochs before stopping early; 0: never")
    warmup_epochs: int | None = Field(
        None, ge=0, description="first epochs in which one-class predictions are no collapse"
    )
    deterministic: bool = Field(
        False,  # noqa: FBT003
        description="on a GPU the same bits every time, with slower kernels; timed without",
    )
    timing_epochs: int = Field(3, ge=1, le=1000, description="epochs of a timed visit")
    timing_blocks: int = Field(20, ge=3, le=20, description="timed blocks of a cell at most")
    complexity: BudgetValues = Field(
        BudgetValues(), description="complexity budget of every feature, a table"
    )
    overrides: dict[str, Override] = Field(
        {}, description="margins and budgets of single features, a table each"
    )

    @property
    def training(self) -> TrainingSettings:
        """Settings of the loop: defaults < preset < what is given.

        Raises:
            UsageError: if the batch size is still to be chosen, by ``harness.matrix.auto_size``.
        """
        if self.batch_size == AUTO:
            raise UsageError("is not chosen yet", where="--batch-size auto", mend="give a number")
        given = {
            name: value
            for name in TrainingSettings.model_fields
            if (value := getattr(self, name, None)) is not None
        }
        return TrainingSettings(**{**PRESETS[self.preset], **given})

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags over environment; the file comes in through ``load_config``."""
        del settings_cls, dotenv_settings, file_secret_settings
        return init_settings, env_settings


def load_config(flags: Mapping[str, Any], file: Path | None = None) -> RunConfig:
    """Join file, environment and flags.

    Args:
        flags: values given on the command line; None means not given.
        file: of ``--config``; None takes ``ablation.toml`` where there is one.

    Raises:
        UsageError: naming the flag, variable or file entry that cannot be used.
    """
    path = file or Path(FILE_NAME)
    given = {name: value for name, value in flags.items() if value is not None}
    stored = _read(path, wanted=file is not None)
    environment = {
        name
        for name in RunConfig.model_fields
        if (PREFIX + name.upper()) in os.environ
    }  # fmt: skip
    below = {name: value for name, value in stored.items() if name not in environment}
    try:
        return RunConfig(**{**below, **given})
    except ValidationError as error:
        name, what, value = first_problem(error)
        unknown = error.errors()[0]["type"] == "extra_forbidden"
        raise UsageError(
            f"there is no setting '{name}'" if unknown else f"{what} (it is {_SHORT.repr(value)})",
            where=_origin(name, given, environment, path),
            mend=_help(name),
        ) from error
    except (SettingsError, RecursionError) as error:
        tables = sorted(PREFIX + name.upper() for name in environment.intersection(TABLES))
        raise UsageError(
            f"no table in JSON: {error}",
            where=" or ".join(tables),
            mend="""write for example {"lines": 200}""",
        ) from error


def _read(path: Path, *, wanted: bool) -> dict[str, Any]:
    if not path.exists():
        if wanted:
            raise UsageError("no such file", where=f"--config {path}", mend="give a TOML file")
        return {}
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES or max(map(len, content.splitlines()), default=0) > MAX_LINE:
            raise ValueError(  # noqa: TRY301 - said as everything else that is wrong with it
                f"larger than {MAX_BYTES >> 10} KiB, or a line is longer than {MAX_LINE}"
            )
        return dict(TomlConfigSettingsSource(RunConfig, path)())
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(
            f"cannot be read as TOML: {error}",
            where=str(path), mend="each line is a flag without its dashes, such as seeds = 10",
        ) from error  # fmt: skip


def _origin(name: str, given: Mapping[str, Any], environment: set[str], path: Path) -> str:
    if name in given:
        return f"--{name.replace('_', '-')}"
    setting = name.partition(".")[0]
    return PREFIX + setting.upper() if setting in environment else f"{path}, entry '{name}'"


def _help(name: str) -> str:
    setting = name.partition(".")[0]
    if setting in TABLES:
        return f"keys of a table of {setting}: {', '.join(TABLES[setting].model_fields)}"
    field = RunConfig.model_fields.get(name)
    if field is None:
        return f"settings are: {', '.join(sorted(RunConfig.model_fields))}"
    return f"{name.replace('_', '-')}: {field.description}"
