"""Parameter groups: discriminative learning rates, and an encoder that was trained before."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from pydantic import Field
from torch import nn

from harness import Claim, DataError, Feature, ParameterGroup, UsageError, parts_of, register

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness import Run

LOOKED_AT = 4
"""Graphs of the pass that tells encoder and head apart."""
MOST_BYTES = 4 << 30
_UNREADABLE = (
    OSError, RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError,
    ArithmeticError, AssertionError, MemoryError, pickle.UnpicklingError,
)  # fmt: skip


@register
class ParamGroups(Feature):
    """Train encoder and head at different rates, with weight decay on matrices alone.

    Why: the head starts from nothing while embeddings and convolutions change slowly once they
    are useful; decay on biases, norms and embeddings only shrinks what must be free. Groups go
    by what a module works on, not by its name: the encoder on nodes, the head on whole graphs.
    ``pretrained`` starts the encoder from another run's ``best.pt`` or ``last.pt`` and leaves the
    head as it was drawn; ``embeddings=false`` leaves the embeddings as well, for data whose ids
    mean something else. A checkpoint's content is part of a trial's key.

    When it hurts: with an encoder that is not pretrained, a small encoder rate starves the part
    that has most to learn.

    Known limitations: two depths, not one per layer; the factors are fixed over the run. A
    checkpoint fits one model and its values, so ``pretrained`` goes with one model at a time, and
    its file must stay until the run has ended, resumed or not. A checkpoint of the same data by
    another split is refused, since its training part holds graphs of this run's gate; that two
    data sets share graphs is not seen.

    Source: Howard and Ruder, "Universal Language Model Fine-tuning for Text Classification",
    ACL 2018.
    """

    name: ClassVar[str] = "param_groups"
    claim: ClassVar[Claim] = Claim.QUALITY

    encoder: float = Field(0.5, ge=0, le=100, description="factor of the encoder's learning rate")
    head: float = Field(1.0, ge=0, le=100, description="factor of the head's learning rate")
    weight_decay: float = Field(1e-4, ge=0, le=10, description="decay of weight matrices")
    pretrained: str = Field(
        "", max_length=1000, description="checkpoint whose encoder to start from; empty for none"
    )
    embeddings: bool = Field(default=True, description="take the checkpoint's embeddings as well")

    def inputs(self) -> tuple[Path, ...]:
        """The checkpoint."""
        return (Path(self.pretrained).expanduser(),) if self.pretrained else ()

    def parameter_groups(self, run: Run) -> Sequence[ParameterGroup]:
        """At most four groups: encoder and head, each with and without decay.

        The encoder's weights are put in here, before anything is made of them: an optimizer, an
        LR range test, an average.
        """
        batch = next(iter(run.batches(run.train[:LOOKED_AT])))
        head = set(parts_of(run.model, batch).head)
        for path in self.inputs():
            self._start_from(path, run, head)
        free = {id(parameter) for parameter in without_decay(run.model)}
        parts: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        for name, parameter in run.model.named_parameters():
            parts.setdefault((name in head, id(parameter) in free), []).append(parameter)
        return [
            ParameterGroup(
                name=("head" if in_head else "encoder") + ("/no_decay" if is_free else ""),
                parameters=parameters,
                factor=self.head if in_head else self.encoder,
                weight_decay=0.0 if is_free else self.weight_decay,
            )
            for (in_head, is_free), parameters in sorted(parts.items(), key=lambda part: part[0])
        ]

    def _start_from(self, path: Path, run: Run, head: set[str]) -> None:
        weights, origin = read_checkpoint(path)
        check_origin(path, origin, run)
        own = run.model.state_dict()
        left = head if self.embeddings else head | embedding_names(run.model)
        made_with = origin.get("model_values", "unknown")
        check_weights(path, weights, own, left, f"it was made with {made_with}")
        with torch.no_grad():
            for name in own.keys() - left:
                own[name].copy_(weights[name])
        trained_on = origin.get("data_name", "data it does not name")
        run.say(
            f"param_groups: {len(own) - len(left)} encoder tensors from {path}, trained on "
            f"{trained_on}; {len(left)} are fresh"
        )


def read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Weights by name and the configuration that they were trained by; nothing is executed.

    A bare ``state_dict`` will do, with an empty configuration.

    Raises:
        DataError: if the file is missing, too large, damaged, or holds anything but plain data.
    """
    mend = "give the best.pt or last.pt of a run, or a saved state_dict"
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError.at(path, f"is larger than {MOST_BYTES >> 30} GiB", mend=mend)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what foreign files hold; the error says more
            content = torch.load(path, map_location="cpu", weights_only=True)
        return dict(content.get("model", content)), dict(content.get("configuration", {}))
    except _UNREADABLE as error:
        what = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise DataError.at(path, f"is no readable checkpoint: {what}", mend=mend) from error


def check_origin(path: Path, origin: dict[str, Any], run: Run) -> None:
    """Refuse a checkpoint that has seen graphs of this run's gate.

    Raises:
        UsageError: if it is of the same data, split by another seed.
    """
    if origin.get("data") == run.graphs.content and origin.get("seed") != run.seed:
        raise UsageError(
            f"it was trained on this very data set at seed {origin.get('seed')}, so graphs that "
            f"the gate of seed {run.seed} holds were among its training graphs",
            where=str(path),
            mend="pretrain on other data, or train at the checkpoint's own seed",
        )


def check_weights(
    path: Path, weights: dict[str, Any], own: dict[str, torch.Tensor], left: set[str], advice: str
) -> None:
    """Check that a checkpoint has every tensor that is wanted, of its shape, and no layer more.

    Args:
        path: of the checkpoint.
        weights: what it holds.
        own: the model's ``state_dict``.
        left: names that are not taken.
        advice: what else to say.

    Raises:
        DataError: naming the first tensor that does not fit, and how many there are.
    """
    faults = [f"'{name}' is not in this model" for name in sorted(weights.keys() - own.keys())]
    for name in sorted(own.keys() - left):
        there, here = shape_of(weights.get(name)), shape_of(own[name])
        faults += [f"'{name}' is {there} there and {here} here"] * (there != here)
    if faults:
        raise DataError.at(
            path,
            f"does not fit the model: {faults[0]} ({len(faults)} in all do not fit)",
            mend=f"{advice}; train the same model with the same values, and with embeddings=false "
            "where only the vocabularies differ",
        )


def shape_of(value: object) -> str:
    """Shape of a tensor in words."""
    return str(list(value.shape)) if isinstance(value, torch.Tensor) else "missing"


def embedding_names(model: nn.Module) -> set[str]:
    """Names of the parameters of embeddings."""
    return {
        f"{prefix}.{name}"
        for prefix, module in model.named_modules()
        if isinstance(module, nn.Embedding | nn.EmbeddingBag)
        for name, _ in module.named_parameters(recurse=False)
    }


def without_decay(model: nn.Module) -> Iterable[nn.Parameter]:
    """Parameters that do not decay: vectors and scalars (biases, norms) and embeddings."""
    embeddings = embedding_names(model)
    return [
        parameter
        for name, parameter in model.named_parameters()
        if parameter.ndim < 2 or name in embeddings  # noqa: PLR2004 - matrices
    ]
