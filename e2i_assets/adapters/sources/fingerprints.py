"""Fingerprints of sources: a short text that changes with the content, computed without loading the rows.

Only the content counts. The time stamps of a file only decide whether it must be read again.
"""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from e2i_assets.adapters.sources.limits import source_limits
from e2i_assets.adapters.sources.parquet_table import folder_files
from e2i_assets.adapters.sources.query import watermark_of
from e2i_assets.adapters.sources.sample_data import sample_file
from e2i_assets.core.content_hash import content_hash
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.source_section import Source

# Two writes within one tick of the file system's clock have equal time stamps, so a recent file is read again.
_SETTLED_SECONDS = 2.0
Signature = tuple[int, int, int, int, int]


class SourceGone(E2iError):
    """The file of a source cannot be read."""


@dataclass(slots=True)
class Fingerprints:
    """Fingerprints of sources; a file is read again only if it may have changed.

    Args:
        root: The project folder, the base of relative paths.
        environment: Variables with the database address of a query and the allowed folders.
    """

    root: Path
    environment: Mapping[str, str]
    _files: dict[Path, tuple[Signature, str]] = field(default_factory=dict)

    def fingerprint(self, source: Source) -> str:
        """Return the fingerprint of the current content of a source.

        Raises:
            E2iError: The file cannot be read, or the database does not answer.
        """
        if source.sql is not None:
            kept = {"query": source.sql.query, "watermark": source.sql.watermark}
            return f"sql:{content_hash({**kept, 'rows': watermark_of(source.sql, self.environment)})}"
        # A sample is a file of an installed package.
        is_sample = source.sample is not None
        path = Path(str(sample_file(source.place))) if is_sample else self._allowed(source.place, source.kind)
        # The CSV settings are part of the fingerprint, the location of the file is not.
        read = f":{content_hash(source.csv.options)[:12]}" if source.csv and source.csv.options else ""
        return f"{source.kind}:{self._folder(path, source.place) if path.is_dir() else self._content(path)}{read}"

    def _folder(self, path: Path, name: str) -> str:
        """Return the hash of a folder's files and their relative paths, which may contain column values."""
        files = folder_files(path, name, self.root, source_limits(self.environment))
        return content_hash({str(file.relative_to(path)): self._content(file) for file in files})

    def _allowed(self, name: str, kind: str) -> Path:
        return source_limits(self.environment).allowed_file(self.root, name, f"source.{kind}")

    def _content(self, path: Path) -> str:
        """Return the hash of a file. Its signature contains ctime, which only the system sets."""
        try:
            found = path.stat()
            signature = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            known = self._files.get(path)
            if known is not None and known[0] == signature:
                return known[1]
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise SourceGone(f"{path} cannot be read: {error.strerror}") from error
        if time.time() - found.st_ctime > _SETTLED_SECONDS:
            self._files[path] = (signature, digest)
        else:
            self._files.pop(path, None)
        return digest
