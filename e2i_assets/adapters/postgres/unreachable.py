"""Why a database cannot be reached, in words that say what to do."""

import re

import sqlalchemy as sa

from e2i_assets.adapters.postgres.address import redacted_url, without_secrets


def unreachable(url: str, detail: str) -> str:
    """Return a readable reason and a remedy for a failed connection.

    Args:
        url: The address; its secrets are not part of the result.
        detail: The message of the driver, which may quote the address.
    """
    parsed, shown = sa.make_url(url), redacted_url(url)
    if re.search(r"could not translate host name|Name or service not known|getaddrinfo", detail):
        return f'The database host "{parsed.host}" is not known. Check its spelling in {shown}'
    if "authentication failed" in detail or "no password supplied" in detail:
        return f'The database refused the password of user "{parsed.username}". Correct it in {shown}'
    if re.search(r'FATAL:\s+database ".*" does not exist', detail):
        return (
            f'There is no database "{parsed.database}" on this server. Create it (createdb {parsed.database}), '
            f"or correct its name in {shown}"
        )
    if re.search(r'FATAL:\s+role ".*" does not exist', detail):
        return f'The database has no user "{parsed.username}". Create it, or correct it in {shown}'
    if re.search(r"Connection refused|No such file or directory|timeout expired|timed out|unreachable", detail):
        return f"No database answers at {shown}. Start it, or correct the host and the port."
    return f"The database at {shown} cannot be used: {without_secrets(detail, url).strip()}"
