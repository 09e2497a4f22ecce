"""Ports on 127.0.0.1: find a free one, and check whether a server answers on one."""

import socket

HOST = "127.0.0.1"


def free_port(preferred: int | None = None) -> int:
    """Return a free TCP port of the loopback address: the preferred one if it is free.

    Another program may take the port before it is used, so the caller must be ready to try again.
    """
    if preferred is not None and is_free(preferred):
        return preferred
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Return whether a server could listen on this port of the loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port in TIME_WAIT counts as free, one with a listener does not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def answers(port: int, request: bytes, replies: bytes) -> bool:
    """Return whether a server on this port of the loopback address answers a request as its protocol requires.

    Args:
        port: The port.
        request: The bytes to send.
        replies: The valid first bytes of an answer.
    """
    try:
        with socket.create_connection((HOST, port), timeout=2) as connection:
            connection.sendall(request)
            reply = connection.recv(1)
    except OSError:
        return False
    return bool(reply) and reply in replies
