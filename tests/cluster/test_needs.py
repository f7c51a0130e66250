"""What a trial asks of a cluster, by its kind of hardware."""

from __future__ import annotations

import pytest
from ray.util import accelerators

from harness.cluster.needs import Node, living, options_of, rays_name

CPU, OTHER = "cpu-amd-epyc-1t", "cpu-intel-xeon-1t"


def _node(name, *, cpus=8.0, gpus=0.0, accelerator=None, cpu=None):
    names = frozenset() if accelerator is None else frozenset({accelerator})
    return Node(name, "10.0.0.1", cpus, gpus, names, cpu)


@pytest.mark.parametrize("kind", ["t4", "v100", "p100", "k80", "l4", "a10g", "a100", "h100"])
def test_a_gpu_is_asked_for_by_the_name_that_ray_detects(kind):
    known = {value for name, value in vars(accelerators).items() if name.startswith("NVIDIA")}
    assert rays_name(kind) in known
    assert options_of(kind, 2, []) == {
        "num_cpus": 2, "num_gpus": 1, "accelerator_type": rays_name(kind),
    }  # fmt: skip


def test_a_gpu_that_ray_has_no_name_for_is_written_in_capitals():
    assert rays_name("rtx4090") == "RTX4090"


def test_a_gpu_is_asked_for_even_where_no_node_has_it_so_that_one_is_started():
    assert options_of("h100", 1, [_node("a", accelerator="T4", gpus=1.0)]) is not None


def test_a_cpu_needs_no_name_where_all_nodes_are_of_one_kind():
    nodes = [_node("a", cpu=CPU), _node("b", cpu=CPU)]
    assert options_of(CPU, 1, nodes) == {"num_cpus": 1}


def test_a_cpu_is_bound_to_the_nodes_of_its_kind_where_they_differ():
    nodes = [_node("a", cpu=CPU), _node("b", cpu=OTHER), _node("c", cpu=CPU), _node("d")]
    options = options_of(CPU, 1, nodes)
    assert options == {"num_cpus": 1, "label_selector": {"ray.io/node-id": "in(a,c)"}}


def test_a_cpu_waits_where_no_node_is_known_to_be_of_its_kind():
    assert options_of(CPU, 1, [_node("a", cpu=OTHER), _node("b")]) is None


@pytest.mark.parametrize(
    ("kind", "threads", "slots"),
    [(CPU, 1, 8), (CPU, 3, 2), (OTHER, 1, 0), ("t4", 1, 4), ("t4", 4, 2), ("a100", 1, 0)],
)
def test_a_node_has_as_many_slots_as_its_scarcest_part(kind, threads, slots):
    node = _node("a", cpus=8.0, gpus=4.0, accelerator="T4", cpu=CPU)
    assert node.slots(kind, threads) == slots


def test_nodes_that_are_dead_or_take_no_tasks_are_left_out():
    def told(name, *, alive=True, **resources):
        return {
            "NodeID": name, "Alive": alive, "NodeManagerAddress": "10.0.0.1",
            "Resources": resources,
        }  # fmt: skip

    nodes = [
        told("head"), told("dead", alive=False, CPU=4.0), told("a", CPU=4.0),
        told("b", CPU=2.0, GPU=1.0, **{"accelerator_type:T4": 1.0}),
    ]  # fmt: skip
    a, b = living(nodes, {"a": CPU})
    assert (a.id, a.cpus, a.cpu, a.gpu_kinds) == ("a", 4.0, CPU, [])
    assert (b.id, b.gpus, b.cpu, b.gpu_kinds) == ("b", 1.0, None, ["t4"])
