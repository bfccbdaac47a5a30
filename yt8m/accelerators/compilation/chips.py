"""TPUs whose compiler libtpu contains, with their published memory, bandwidth and peak."""

from __future__ import annotations

import dataclasses

from yt8m.errors import UserError, near_misses


@dataclasses.dataclass(frozen=True)
class Chip:
    """A kind of TPU.

    Source: docs/sources.md#tpu-chips. All numbers are those of a chip.

    Attributes:
      name: the generation.
      topology: the smallest slice of four chips.
      accelerator: what Google calls that slice; libtpu reads it from the environment.
      memory: bytes of high-bandwidth memory.
      bandwidth: bytes a second between that memory and the cores.
      peak: bfloat16 operations a second.
      devices: how many devices a program sees in a chip; each has its part of all three.
    """

    name: str
    topology: str
    accelerator: str
    memory: float
    bandwidth: float
    peak: float
    devices: int = 1

    def share(self, value: float) -> float:
        """Return one device's part of a chip's memory, bandwidth or peak."""
        return value / self.devices


_CHIPS = (
    Chip("v2", "v2:2x2", "v2-8", 16e9, 700e9, 46e12, devices=2),
    Chip("v3", "v3:2x2", "v3-8", 32e9, 900e9, 123e12, devices=2),
    Chip("v4", "v4:2x2x1", "v4-8", 32e9, 1228e9, 275e12, devices=2),
    Chip("v5e", "v5e:2x2", "v5litepod-4", 16e9, 819e9, 197e12),
    Chip("v5p", "v5p:2x2x1", "v5p-8", 95e9, 2765e9, 459e12),
    Chip("v6e", "v6e:2x2", "v6e-4", 32e9, 1640e9, 918e12),
)
CHIPS = {chip.name: chip for chip in _CHIPS}
TOPOLOGIES = tuple(chip.topology for chip in _CHIPS)


def chip_of(topology: str) -> Chip:
    """Return the chip of a topology such as "v5e:2x2".

    Raises:
      UserError: libtpu has no such chip.
    """
    name = topology.partition(":")[0]
    if name not in CHIPS:
        raise UserError(
            f"--topology={topology}: expected one of {', '.join(TOPOLOGIES)}, or another slice of"
            f" such chips.{near_misses(topology, TOPOLOGIES)}"
        )
    return CHIPS[name]
