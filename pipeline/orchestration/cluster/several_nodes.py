"""One training on several machines of a Ray cluster, all of which have room for their part at the same time."""

import socket
from collections.abc import Mapping
from typing import Any, Self

from ray.util import get_node_ip_address, placement_group, remove_placement_group
from ray.util.placement_group import PlacementGroup
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy


class Machines:
    """Different machines with room for one training, which nothing else takes in the block."""

    def __init__(self, ray: Any, count: int, room: Mapping[str, float]) -> None:
        """Each has this room, by Ray's names of what a machine has."""
        self._ray = ray
        self._bundles = [{name: need for name, need in room.items() if need}] * count

    def __enter__(self) -> Self:
        self._group: PlacementGroup = placement_group(self._bundles, strategy="STRICT_SPREAD")
        return self

    def __exit__(self, *_: object) -> None:
        remove_placement_group(self._group)

    def are_free(self, seconds: float) -> bool:
        """Whether as many machines have the room within this time."""
        return bool(self._group.wait(seconds))

    def place(self, rank: int) -> PlacementGroupSchedulingStrategy:
        """What makes a task run on one of them."""
        return PlacementGroupSchedulingStrategy(self._group, placement_group_bundle_index=rank)

    def meeting_point(self) -> tuple[str, int]:
        """The address of the first machine, and an unused port of it."""
        ask = self._ray.remote(_unused_port).options(num_cpus=0, scheduling_strategy=self.place(0))
        host, port = self._ray.get(ask.remote())
        return host, port


def _unused_port() -> tuple[str, int]:
    with socket.socket() as listener:
        listener.bind(("", 0))
        return get_node_ip_address(), listener.getsockname()[1]
