"""How the threads of a step wait for each other. Nothing here imports torch, with which that is settled."""

import os

#: How often a thread that waits for another looks, before it sleeps: some ten to forty microseconds. That bridges most
#: gaps inside of a step; beside other programs one that went on would keep the very one that it waits for from running.
SPINS = 1000


def waiting() -> dict[str, str]:
    """How threads wait for each other, for the environment of a process that trains; nothing where the user says how.

    libgomp, torch's OpenMP on Linux, reads it when it is loaded. It changes no bits.
    """
    return {} if "OMP_WAIT_POLICY" in os.environ else {"GOMP_SPINCOUNT": str(SPINS)}
