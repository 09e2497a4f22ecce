"""A project whose state is in object storage, which can stop to answer in the middle of a run."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from object_storage import StoppableServer, new_bucket, stoppable_object_storage

from drills.faults import Scene, external


@dataclass
class StorageScene(Scene):
    """A project on a separate PostgreSQL, with its values in object storage."""

    storage: StoppableServer | None = None

    @property
    def own_storage(self) -> StoppableServer:
        assert self.storage is not None
        return self.storage


@contextmanager
def with_object_storage(template: Path, source: random.Random) -> Iterator[Scene]:
    """Yield a project on a separate PostgreSQL, with an S3 server."""
    with stoppable_object_storage() as storage, external(template, source) as scene:
        bucket = new_bucket(storage.reached)
        environment = {**storage.reached, "E2I_STATE": f"s3://{bucket}/e2i"}
        there = replace(scene.project, environment=environment)
        yield StorageScene(there, source, scene.server, storage=storage)


def storage_gone(scene: Scene) -> None:
    """Stop the S3 server, and start it again some seconds later with what it had."""
    assert isinstance(scene, StorageScene)
    scene.own_storage.stop()
    time.sleep(scene.source.uniform(0, 8))
    scene.own_storage.start()
