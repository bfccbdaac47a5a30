"""A process with a Ray cluster of two nodes on this machine: `python -m benchmarks.soak.ray_host`.

It prints a line of JSON with the address and the process ids of the nodes. Each line of its input
asks for another node in the place of one that was killed, and it prints such a line again. It ends
with its input.
"""

from __future__ import annotations

import json
import os
import sys


def main() -> None:
    """Run the cluster."""
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # all ports on the loopback interface
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    while True:
        raylets = [[p.process.pid for p in node.all_processes["raylet"]] for node in nodes]
        print(json.dumps({"address": cluster.address, "raylets": raylets}), flush=True)
        asked = sys.stdin.readline()
        if not asked:
            break
        nodes[int(asked)] = cluster.add_node(num_cpus=1)
    cluster.shutdown()


if __name__ == "__main__":
    main()
