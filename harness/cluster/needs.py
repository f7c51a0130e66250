"""What a kind of hardware asks of a Ray cluster, and how much of it the cluster has."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from harness.hardware import device_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_ACCELERATOR: Final = "accelerator_type:"
_NODE_ID: Final = "ray.io/node-id"
_RAYS_NAMES: Final = {
    "t4": "T4", "v100": "V100", "p100": "P100", "k80": "K80", "l4": "L4", "l40s": "L40S",
    "a10g": "A10G", "a100": "A100", "h100": "H100", "h200": "H200", "b200": "B200",
}  # fmt: skip
"""Names that Ray detects, as ``ray.util.accelerators`` lists them; others are written in capitals
by whoever starts a node with ``--resources '{"accelerator_type:A40": 1}'``."""


def rays_name(kind: str) -> str:
    """What Ray calls a kind of GPU."""
    return _RAYS_NAMES.get(kind, kind.upper())


@dataclass(frozen=True)
class Node:
    """A living node, as ``ray.nodes()`` tells of it.

    Attributes:
        id: of the node.
        address: IP address.
        cpus: that it gives to tasks.
        gpus: that it gives to tasks.
        accelerators: what Ray calls its GPUs.
        cpu: kind of its CPU, once somebody has looked.
    """

    id: str
    address: str
    cpus: float
    gpus: float
    accelerators: frozenset[str] = field(default_factory=frozenset)
    cpu: str | None = None

    @property
    def gpu_kinds(self) -> list[str]:
        """Canonical names of its GPUs."""
        ours = {theirs: kind for kind, theirs in _RAYS_NAMES.items()}
        return sorted(ours.get(one, one.lower()) for one in self.accelerators)

    def slots(self, kind: str, threads: int) -> int:
        """Trials of a kind that it can run at once, each with so many threads."""
        room = int(self.cpus // threads)
        if device_of(kind) == "cpu":
            return room if self.cpu == kind else 0
        return min(room, int(self.gpus)) if rays_name(kind) in self.accelerators else 0


def living(nodes: Iterable[Mapping[str, Any]], kinds: Mapping[str, str]) -> list[Node]:
    """Nodes that take tasks.

    Args:
        nodes: what ``ray.nodes()`` says.
        kinds: kinds of the CPUs that were looked at, by node.
    """
    found = []
    for node in nodes:
        resources = node["Resources"]
        if not node["Alive"] or not resources.get("CPU"):
            continue
        names = (one for one in resources if one.startswith(_ACCELERATOR))
        found.append(
            Node(
                id=node["NodeID"],
                address=node["NodeManagerAddress"],
                cpus=resources["CPU"],
                gpus=resources.get("GPU", 0.0),
                accelerators=frozenset(one.removeprefix(_ACCELERATOR) for one in names),
                cpu=kinds.get(node["NodeID"]),
            )
        )
    return found


def options_of(kind: str, threads: int, nodes: Iterable[Node]) -> dict[str, Any] | None:
    """Options of a Ray task that trains one trial; None while no node is known that could take it.

    A GPU is asked for by its name, so that an autoscaler knows what to start. Ray has no name for
    a CPU: where nodes differ, the task is bound to those of its kind.

    Args:
        kind: of hardware.
        threads: of the trial.
        nodes: that live.
    """
    if device_of(kind) != "cpu":
        return {"num_cpus": threads, "num_gpus": 1, "accelerator_type": rays_name(kind)}
    nodes = list(nodes)
    able = [node.id for node in nodes if node.slots(kind, threads)]
    if not able:
        return None
    options: dict[str, Any] = {"num_cpus": threads}
    if len(able) < len(nodes):
        options["label_selector"] = {_NODE_ID: f"in({','.join(able)})"}
    return options


def on_node(node: str) -> dict[str, str]:
    """A label selector of one node."""
    return {_NODE_ID: node}
