"""A port for a program that is slow to start: nothing takes it meanwhile."""

import random

from e2i_assets.adapters.processes.loopback import is_free

# Below where Linux and macOS begin to give ports to outgoing connections. `free_port` asks the system and so answers
# with one of those: a connection to PostgreSQL may have it by the time that a server has read its imports.
_QUIET = range(20_000, 32_000)
_random = random.SystemRandom()


def quiet_port() -> int:
    """Return a free TCP port of the loopback address that no outgoing connection is given by itself."""
    while not is_free(port := _random.choice(_QUIET)):
        pass
    return port
