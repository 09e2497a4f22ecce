"""A process of a `ProcessPool`: it exits with the process that started it, and logs why it could not work."""

import sys
from pathlib import Path

from e2i_assets.adapters.processes.parent import end_with_input
from e2i_assets.adapters.processes.quick_exit import quick_exit
from e2i_assets.adapters.settings import own_database_url
from e2i_assets.core.errors import E2iError
from e2i_assets.services.workers.assignment import Assignment
from e2i_assets.services.workers.work import work


def main() -> None:
    """Work on the study in the file of the first argument, with the rows in the folder of the second."""
    end_with_input()
    assignment, rows = (Path(argument) for argument in sys.argv[1:])
    try:
        assigned = Assignment.model_validate_json(assignment.read_text(encoding="utf-8"))
        work(assigned, rows, threads=1, database_url=own_database_url())
    except E2iError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
    quick_exit()
