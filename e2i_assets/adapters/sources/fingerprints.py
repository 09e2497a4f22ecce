"""What a source holds, as one short text that is another when the rows are: found without reading rows into memory.

Content counts, never a time stamp. The time stamps of a file only say whether it has to be read once more.
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
from e2i_assets.core.experiments.sections import Source

# Two writes within one tick of the file system's clock look alike, so a file that changed just now is read again.
_SETTLED_SECONDS = 2.0
Signature = tuple[int, int, int, int, int]


class SourceGone(E2iError):
    """A source whose file is not there."""


@dataclass(slots=True)
class Fingerprints:
    """Fingerprints of sources; a file whose every write would have shown is not read twice.

    Args:
        root: The project folder that paths start from.
        environment: Where the database address of a query, and the folders that files may lie in, are looked up.
    """

    root: Path
    environment: Mapping[str, str]
    _files: dict[Path, tuple[Signature, str]] = field(default_factory=dict)

    def fingerprint(self, source: Source) -> str:
        """Return what the source holds now.

        Raises:
            E2iError: The file is not there, or the database does not answer.
        """
        if source.sql is not None:
            kept = {"query": source.sql.query, "watermark": source.sql.watermark}
            return f"sql:{content_hash({**kept, 'rows': watermark_of(source.sql, self.environment)})}"
        # What is installed with the package lies on disk as a file.
        is_sample = source.sample is not None
        path = Path(str(sample_file(source.place))) if is_sample else self._allowed(source.place, source.kind)
        # How the file is read is part of it, where it lies is not.
        read = f":{content_hash(source.csv.options)[:12]}" if source.csv and source.csv.options else ""
        return f"{source.kind}:{self._folder(path, source.place) if path.is_dir() else self._content(path)}{read}"

    def _folder(self, path: Path, name: str) -> str:
        """Return the hash of the files of a folder with their places in it, which may be values of a column."""
        files = folder_files(path, name, self.root, source_limits(self.environment))
        return content_hash({str(file.relative_to(path)): self._content(file) for file in files})

    def _allowed(self, name: str, kind: str) -> Path:
        return source_limits(self.environment).allowed_file(self.root, name, f"source.{kind}")

    def _content(self, path: Path) -> str:
        """Return the hash of a file. Nobody but the system sets the time of its last change (ctime)."""
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
