"""Protection of the embedded server from the variables that a shell sets for another PostgreSQL server.

libpq, which all drivers and client programs use, reads from the environment what an address does not specify.
"""

from collections.abc import MutableMapping
from urllib.parse import urlencode

from e2i_assets.adapters.processes.loopback import HOST

# The embedded server listens on the loopback address without TLS. A parameter in the address overrides its variable,
# and every libpq since 13 knows these parameters.
EXPLICIT = {
    "sslmode": "disable",
    "sslrootcert": "/dev/null",  # not read without TLS, but libpq refuses the value `system` beside sslmode=disable
    "gssencmode": "disable",
    "channel_binding": "disable",
    "target_session_attrs": "any",
    "client_encoding": "utf8",
}
# These have no parameter, or one that older client programs do not know or that would name the host twice. PGTZ,
# PGDATESTYLE and PGGEQO are session settings that are applied after the options of an address.
_WITHOUT_PARAMETER = (
    *("PGHOSTADDR", "PGSERVICE", "PGSERVICEFILE", "PGSYSCONFDIR"),
    *("PGTZ", "PGDATESTYLE", "PGGEQO"),
    *("PGREQUIREAUTH", "PGSSLNEGOTIATION", "PGSSLCERTMODE", "PGREQUIRESSL", "PGREQUIREPEER"),
    *("PGMINPROTOCOLVERSION", "PGMAXPROTOCOLVERSION", "PGSSLMINPROTOCOLVERSION", "PGSSLMAXPROTOCOLVERSION"),
    *("PGLOADBALANCEHOSTS", "PGCONNECT_TIMEOUT", "PGOPTIONS"),
)


def embedded_url(user: str, password: str, port: int, database: str) -> str:
    """Return the address of the embedded server, with every parameter that a variable could change."""
    return f"postgresql+psycopg2://{user}:{password}@{HOST}:{port}/{database}?{urlencode(EXPLICIT)}"


def remove_shell_variables(environment: MutableMapping[str, str]) -> None:
    """Remove the variables of libpq that the address of the embedded server cannot override.

    The others stay: they may be meant for the server of an experiment's ``sql`` source.
    """
    for name in _WITHOUT_PARAMETER:
        environment.pop(name, None)
