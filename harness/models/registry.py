"""Models by name. Any ``nn.Module`` with ``forward(x, edge_index, batch)`` can be one."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from harness.errors import UsageError, first_problem
from harness.hashing import files_key
from harness.registry import Registry
from harness.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import nn

    from harness.graphs.batch import GraphBatch
    from harness.graphs.dataset import PackedGraphs


@dataclass(frozen=True)
class DataShape:
    """What a model must know of the data it will see.

    Attributes:
        num_types: size of the node-type vocabulary.
        num_tokens: size of the token vocabulary.
        num_classes: logits per graph.
        num_graph_features: length of a graph's own feature vector, 0 where there is none.
    """

    num_types: int
    num_tokens: int
    num_classes: int = 2
    num_graph_features: int = 0

    @classmethod
    def of(cls, graphs: PackedGraphs) -> DataShape:
        """The shape of a data set."""
        info = graphs.info
        return cls(info.num_types, info.num_tokens, num_graph_features=graphs.num_graph_features)


@dataclass(frozen=True)
class ModelEntry:
    """A registered model: how to make it and what can be set.

    Attributes:
        name: unique over all packages.
        make: called with a ``DataShape`` and the values.
        values: a pydantic model with a field per value.
        card: the docstring of the class.
    """

    name: str
    make: Callable[..., nn.Module]
    values: type[BaseModel]
    card: str

    @property
    def source_key(self) -> str:
        """Hash of the file that defines the model."""
        return files_key([Path(inspect.getfile(self.make))])


MODELS: Registry[ModelEntry] = Registry("model", "ablation.models")

M = TypeVar("M", bound="Callable[..., nn.Module]")


def register_model(name: str) -> Callable[[M], M]:
    """Class decorator that makes a model known by name.

    The class is called with a ``DataShape`` and then with keyword values, whose types and
    defaults are read off its ``__init__``. ``forward(x, edge_index, batch)`` takes node ids
    ``[N, 2]``, edges ``[2, E]`` and the graph of each node ``[N]``, and gives logits ``[B, C]``;
    parameters ``graph_features`` (``[B, F]``), ``size`` (``B``) and ``rows`` (the edges as rows)
    are filled if it has them.

    Raises:
        UsageError: if the name is taken, or a value has no default or an unknown type.
    """

    def decorate(make: M) -> M:
        entry = ModelEntry(name, make, _values_of(name, make), inspect.getdoc(make) or "")
        MODELS.add(name, entry, origin=make)
        return make

    return decorate


def _values_of(name: str, make: Callable[..., nn.Module]) -> type[BaseModel]:
    """A pydantic model with a field for each value that ``make`` takes after the data's shape."""
    where = inspect.getfile(make)
    try:
        hints = get_type_hints(
            make.__init__ if inspect.isclass(make) else make, include_extras=True
        )
    except NameError as error:
        raise UsageError(
            f"the types of model '{name}' cannot be read: {error}",
            where=where,
            mend="import them when the program runs, not under TYPE_CHECKING alone",
        ) from error
    fields: dict[str, Any] = {}
    for parameter in list(inspect.signature(make).parameters.values())[1:]:
        if parameter.default is inspect.Parameter.empty:
            raise UsageError(
                f"value '{parameter.name}' of model '{name}' lacks a default",
                where=where,
                mend=f"give it one in __init__: {parameter.name}: type = value",
            )
        fields[parameter.name] = (hints.get(parameter.name, Any), parameter.default)
    config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False,
        protected_namespaces=(),
    )  # fmt: skip
    return create_model(f"{name}_values", __config__=config, **fields)


def model_values(selection: Selection) -> dict[str, Any]:
    """All values of a model, given and default.

    Raises:
        UsageError: naming the value that is unknown or out of its range.
    """
    entry = MODELS.get(selection.name)
    try:
        return entry.values(**selection.values).model_dump()
    except ValidationError as error:
        name, what, _ = first_problem(error)
        raise UsageError(
            f"value '{name}' of model '{selection.name}': {what}",
            where=str(selection),
            mend=f"its values are: {', '.join(entry.values.model_fields) or 'none'}",
        ) from error


def make_model(selection: Selection, shape: DataShape) -> nn.Module:
    """Make a model with freshly drawn weights (from torch's global generator).

    Raises:
        UsageError: if the model or one of its values is unknown.
    """
    return MODELS.get(selection.name).make(shape, **model_values(selection))


def call_model(model: nn.Module, batch: GraphBatch) -> torch.Tensor:
    """Call a model on a batch with what its ``forward`` asks for: logits ``[B, C]``."""
    wanted = inspect.signature(model.forward).parameters
    extra: dict[str, object] = {}
    if "size" in wanted:
        extra["size"] = batch.num_graphs
    if "graph_features" in wanted:
        extra["graph_features"] = batch.graph_features
    if "rows" in wanted:
        extra["rows"] = batch.neighbours
    logits: torch.Tensor = model(batch.x, batch.edge_index, batch.batch, **extra)
    return logits
