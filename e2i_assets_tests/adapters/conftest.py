"""The fixtures with database rows."""

from example_rows import examples, examples_of, execute, finished, split_id  # noqa: F401  # fixtures
