"""An S3 server of this process, with a bucket for each test that asks for one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import fsspec
from moto.server import ThreadedMotoServer

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1",
}


class StoppableServer:
    """A server that can stop and start again on its port; its objects are those of this process and stay.

    Attributes:
        reached: The environment variables with which a process reaches it.
    """

    def __init__(self) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        host, self._port = self._server.get_host_and_port()
        self.reached = {**CREDENTIALS, "AWS_ENDPOINT_URL": f"http://{host}:{self._port}"}

    def stop(self) -> None:
        """Refuse connections from now on."""
        self._server.stop()

    def start(self) -> None:
        """Accept connections again."""
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=self._port, verbose=False)
        self._server.start()


@contextmanager
def stoppable_object_storage() -> Iterator[StoppableServer]:
    """Start a server, and yield it."""
    server = StoppableServer()
    forget_servers()
    try:
        yield server
    finally:
        server.stop()
        forget_servers()


@contextmanager
def object_storage() -> Iterator[dict[str, str]]:
    """Start a server, and yield the environment variables with which a process reaches it."""
    with stoppable_object_storage() as server:
        yield server.reached


def forget_servers() -> None:
    """Have fsspec open its next file system with the current variables: it keeps those that it has opened."""
    fsspec.get_filesystem_class("s3").clear_instance_cache()


def client(reached: dict[str, str]) -> Any:
    """Return boto3's client of a server, to look at the objects with another program than the one that is tested."""
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=reached["AWS_ENDPOINT_URL"],
        region_name=reached["AWS_DEFAULT_REGION"],
        aws_access_key_id=reached["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=reached["AWS_SECRET_ACCESS_KEY"],
    )


def new_bucket(reached: dict[str, str]) -> str:
    """Make a bucket and return its name; this process reaches it too from now on."""
    os.environ.update(reached)
    name = f"e2i-{uuid4().hex[:12]}"
    client(reached).create_bucket(Bucket=name)
    return name


def objects(reached: dict[str, str], bucket: str) -> dict[str, int]:
    """Return the size of each object of a bucket by its key."""
    pages = client(reached).get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {one["Key"]: one["Size"] for page in pages for one in page.get("Contents", [])}
