from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import DataError
from harness.graphs.dataset import PackedGraphs, content_hash, open_folder, save, verify
from harness.seal import unsealed


def arrays(graphs: PackedGraphs) -> dict[str, np.ndarray]:
    named = {spec.name: getattr(graphs, spec.name) for spec in fields(graphs)}
    named |= {f"tag {name}": codes for name, codes in graphs.tags.items()}
    return {name: value for name, value in named.items() if isinstance(value, np.ndarray)}


@pytest.mark.parametrize("extras", [True, False])
def test_a_stored_set_is_read_back_bit_for_bit(make_graphs, tmp_path, extras):
    graphs = make_graphs(extras=extras)
    stored = save(graphs, tmp_path / "set")
    assert stored.folder == tmp_path / "set"
    before, after = arrays(graphs), arrays(open_folder(tmp_path / "set"))
    assert before.keys() == after.keys()
    for name, array in before.items():
        assert array.dtype == after[name].dtype, name
        assert array.tobytes() == after[name].tobytes(), name
    assert stored.content == content_hash(graphs) == graphs.content
    assert stored == graphs
    assert hash(stored) == hash(graphs)
    verify(stored, tmp_path / "set")


def test_a_graph_without_edges_and_a_set_without_any_are_stored(make_graphs, tmp_path):
    graphs = make_graphs(1)
    bare = replace(
        graphs,
        edge_source=graphs.edge_source[:0],
        edge_target=graphs.edge_target[:0],
        edge_ptr=np.zeros(2, np.int64),
    )
    verify(save(bare, tmp_path / "set"), tmp_path / "set")


def test_the_hash_names_the_content_and_nothing_else(make_graphs):
    graphs = make_graphs()
    renamed = replace(graphs, info=graphs.info.model_copy(update={"name": "x", "source": "y"}))
    assert content_hash(renamed) == content_hash(graphs)
    assert content_hash(make_graphs(seed=1)) != content_hash(graphs)
    wider = replace(graphs, node_type=graphs.node_type.astype(np.uint16))
    assert content_hash(wider) != content_hash(graphs)
    swapped = replace(graphs, node_type=graphs.node_type.astype(">u2"))
    assert content_hash(swapped) == content_hash(wider), "byte order is no content"
    directed = replace(graphs, info=graphs.info.model_copy(update={"symmetric": False}))
    assert content_hash(directed) != content_hash(graphs)


def test_every_changed_byte_of_an_array_is_found(make_graphs, tmp_path):
    folder = tmp_path / "set"
    save(make_graphs(), folder)
    for path in sorted(folder.glob("*.npy")):
        sound = path.read_bytes()
        damaged = bytearray(sound)
        damaged[-1] ^= 1
        path.write_bytes(bytes(damaged))
        with pytest.raises(DataError, match=r"damaged|ascend|entries"):
            verify(open_folder(folder), folder)
        path.write_bytes(sound)
    verify(open_folder(folder), folder)


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("edge_source", 11),
        ("edge_target", 200),
        ("node_type", 9),
        ("node_token", 300),
        ("label", 2),
        ("label", -1),
    ],
)
def test_a_value_out_of_range_is_found_even_where_the_hash_is_right(
    make_graphs, tmp_path, name, bad
):
    graphs = make_graphs()
    array = getattr(graphs, name).copy()
    array[0] = bad
    stored = save(replace(graphs, **{name: array}), tmp_path / "set")
    with pytest.raises(DataError, match=f"{name}.npy"):
        verify(stored, tmp_path / "set")


def test_offsets_that_do_not_ascend_are_found(make_graphs, tmp_path):
    graphs = make_graphs()
    pointers = graphs.node_ptr.copy()
    pointers[1] = pointers[2] + 1
    stored = save(replace(graphs, node_ptr=pointers), tmp_path / "set")
    with pytest.raises(DataError, match="ascend"):
        verify(stored, tmp_path / "set")


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("label", np.zeros(3, np.int8), "has 41 entries where 4 belong"),
        ("node_token", np.zeros(3, np.uint8), "has 3 entries"),
        ("tag_language", np.zeros(39, np.int32), "has 39 entries where 40"),
        ("weight", np.zeros(41, np.float32), "has 41 entries"),
        ("label", np.zeros((40, 2), np.int8), "2 axes"),
        ("group", np.float64(3), "float64"),
        ("node_type", np.zeros(3, np.float32), "float32"),
        ("node_ptr", np.zeros(0, np.int64), "has 0 entries where 41"),
    ],
)
def test_an_array_that_does_not_fit_is_refused_when_opened(
    make_graphs, tmp_path, name, array, message
):
    folder = tmp_path / "set"
    save(make_graphs(), folder)
    np.save(folder / f"{name}.npy", array)
    with pytest.raises(DataError, match=message):
        open_folder(folder)


def test_a_pickle_is_not_opened(make_graphs, tmp_path):
    folder = tmp_path / "set"
    save(make_graphs(), folder)
    np.save(folder / "label.npy", np.array([object()]), allow_pickle=True)
    with pytest.raises(DataError, match="plain array"):
        open_folder(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_types": "many"}, "num_types"),
        ({"surprise": 1}, "surprise"),
        ({"version": 99}, "format 99"),
        ({"tags": {"../x": ["a"]}}, "tags"),
    ],
)
def test_a_description_that_is_none_is_refused_by_name(make_graphs, tmp_path, change, message):
    folder = tmp_path / "set"
    save(make_graphs(), folder)
    info = unsealed(json.loads((folder / "info.json").read_text()))
    (folder / "info.json").write_text(json.dumps(info | change))
    with pytest.raises(DataError, match=message):
        open_folder(folder)


def test_a_description_that_was_changed_is_refused(make_graphs, tmp_path):
    folder = tmp_path / "set"
    save(make_graphs(), folder)
    path = folder / "info.json"
    info = json.loads(path.read_text())
    path.write_text(json.dumps(info | {"name": info["name"] + "x"}))
    with pytest.raises(DataError, match=r"(?s)info\.json: is not what was written.*delete"):
        open_folder(folder)


def test_a_missing_file_is_named(make_graphs, tmp_path):
    folder = tmp_path / "set"
    save(make_graphs(), folder)
    (folder / "group.npy").unlink()
    with pytest.raises(DataError, match=r"group\.npy"):
        open_folder(folder)
    with pytest.raises(DataError, match=r"info\.json"):
        open_folder(tmp_path / "nowhere")


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_to_a_header_raises_anything_but_a_data_error(make_graphs, tmp_path, data):
    folder = tmp_path / "set"
    if not folder.exists():
        save(make_graphs(), folder)
    path = folder / "node_type.npy"
    sound = path.read_bytes()
    content = bytearray(sound)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, 127))] = data.draw(
            st.sampled_from(b"019(),'{}: \n\0\xff<OVui")
        )
    try:
        path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
        verify(open_folder(folder), folder)
    except DataError:
        pass
    finally:
        path.write_bytes(sound)


def test_a_save_that_fails_leaves_nothing(make_graphs, tmp_path, monkeypatch):
    def full(*_arguments, **_names):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("harness.graphs.dataset.write_json", full)
    with pytest.raises(OSError, match="No space"):
        save(make_graphs(), tmp_path / "set")
    assert list(tmp_path.iterdir()) == []
