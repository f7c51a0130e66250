"""The reference does the engine's work: same architecture, same weights, same steps."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score
from torch.nn import functional
from torch_geometric.data import Batch

from benchmarks.cells import Cell, Precision, part_of
from benchmarks.plain import PlainClassifier, PlainTraining, data_list
from harness.graphs.batch import collate
from harness.models import DataShape, call_model, make_model
from harness.testing import planted_graphs

MODELS = ("gcn", "sage", "gin", "gat")


@pytest.fixture(scope="module")
def graphs():
    return planted_graphs(300)


def both(model, graphs, dropout=0.2):
    """The engine's model and PyG's, with the same weights."""
    torch.manual_seed(0)
    cell = Cell(model, 16)
    selection = replace(cell.selection, values={**cell.selection.values, "dropout": dropout})
    shape = DataShape.of(graphs)
    engine = make_model(selection, shape)
    plain = PlainClassifier(model, 16, shape.num_types, shape.num_tokens, dropout)
    plain.load_state_dict(engine.state_dict())
    return engine, plain


def apply(plain, batch):
    return plain(batch.x, batch.edge_index, batch.batch)


@pytest.mark.parametrize("model", MODELS)
def test_logits_are_the_engines(graphs, model):
    engine, plain = (net.eval() for net in both(model, graphs))
    index = np.arange(40)
    with torch.no_grad():
        wanted = call_model(engine, collate(graphs, index))
        got = apply(plain, Batch.from_data_list(data_list(graphs, index)))
    assert torch.allclose(got, wanted, atol=1e-5)


@pytest.mark.parametrize("model", MODELS)
def test_losses_are_the_engines_for_five_steps(graphs, model):
    losses = []
    for net, of_engine in zip(both(model, graphs, dropout=0), (True, False), strict=True):
        optimizer = torch.optim.Adam(net.parameters(), fused=of_engine)
        for step in range(5):
            index = np.arange(32) + 32 * step
            batch = (
                collate(graphs, index)
                if of_engine
                else Batch.from_data_list(data_list(graphs, index))
            )
            optimizer.zero_grad()
            logits = call_model(net, batch) if of_engine else apply(net, batch)
            loss = functional.cross_entropy(logits, batch.y)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.item())
    assert losses[:5] == pytest.approx(losses[5:], abs=1e-5)


def test_the_list_holds_the_packed_graphs(graphs):
    index = np.array([7, 3, 200])
    for place, data in zip(index, data_list(graphs, index), strict=True):
        nodes = slice(*graphs.node_ptr[place : place + 2])
        edges = slice(*graphs.edge_ptr[place : place + 2])
        ends = list(zip(graphs.edge_source[edges], graphs.edge_target[edges], strict=True))
        assert np.array_equal(data.x[:, 0], graphs.node_type[nodes])
        assert np.array_equal(data.x[:, 1], graphs.node_token[nodes])
        assert int(data.y) == graphs.label[place]
        both_ways = Counter(ends) + Counter((target, source) for source, target in ends)
        assert Counter(map(tuple, data.edge_index.t().tolist())) == both_ways


def test_training_learns_and_evaluation_is_f1_on_the_held_out_part(graphs):
    split = part_of(graphs, len(graphs))
    training = PlainTraining(graphs, split, Cell("sage", 32), fused=True)
    scores = [training.epoch() for _ in range(60)]
    assert max(scores) > 0.6
    batch = Batch.from_data_list(data_list(graphs, split.select))
    with torch.no_grad():
        said = apply(training.model.eval(), batch).argmax(dim=1)
    assert scores[-1] == pytest.approx(f1_score(batch.y, said))


def test_bf16_is_inside_the_layers_alone(graphs):
    training = PlainTraining(graphs, part_of(graphs, 64), Cell("sage", 16, Precision.BF16))
    seen = []
    training.model.convolutions[0].lin_l.register_forward_hook(
        lambda _, given, made: seen.append(made.dtype)
    )
    batch = Batch.from_data_list(data_list(graphs, np.arange(4)))
    assert training.logits(batch).dtype == torch.float32
    assert seen == [torch.bfloat16]
    assert np.isfinite(training.step(batch))
