"""A Ray cluster on this machine, in a process of its own: a head without processors, and two nodes of one.

Says its address. Given the number of a process, on standard input, it kills the node whose process that is, at once,
and adds another. Ends with its input.
"""

import sys

import psutil
from ray.cluster_utils import Cluster


def main():
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    nodes = {cluster.add_node(num_cpus=1) for _ in range(2)}
    print(cluster.address, flush=True)  # noqa: T201 (to whoever started it)
    for number in sys.stdin:
        above = {parent.pid for parent in psutil.Process(int(number)).parents()}
        lost = next(node for node in nodes if node.all_processes["raylet"][0].process.pid in above)
        nodes.remove(lost)
        cluster.remove_node(lost, allow_graceful=False)
        nodes.add(cluster.add_node(num_cpus=1))
        print("killed", flush=True)  # noqa: T201 (likewise)
    cluster.shutdown()


if __name__ == "__main__":
    main()
