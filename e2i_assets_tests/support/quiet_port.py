"""A port for a program that starts slowly, which no outgoing connection can take in the meantime."""

import random

from e2i_assets.adapters.processes.loopback import is_free

# The range below the ephemeral ports of Linux and macOS. `free_port` asks the system and returns an ephemeral
# port, which a connection to PostgreSQL may take before a server has finished its imports.
_QUIET = range(20_000, 32_000)
_random = random.SystemRandom()


def quiet_port() -> int:
    """Return a free TCP port of the loopback address outside the ephemeral range."""
    while not is_free(port := _random.choice(_QUIET)):
        pass
    return port
