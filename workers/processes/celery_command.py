"""`python -m workers.processes.celery_command ARGUMENTS`: Celery's command line on our app, in any folder.

Celery puts the current folder first on the import path, so that a folder with a package `db` or `workers` of its
own would replace ours. It does not when the folder is on the path already: so it is put there, last.
"""

from __future__ import annotations

import sys

from workers.kinds import search_current_folder_last
from workers.processes import logs
from workers.settings import settings


def main() -> None:
    """Run Celery; the arguments are those of `celery --app workers.app`."""
    search_current_folder_last()
    from celery.bin.celery import main as celery_main

    if settings().log_format == "json":
        # Celery warns of some things before it sets logging up.
        logs.to_stderr()
    sys.argv[1:1] = ["--app", "workers.app"]
    sys.exit(celery_main())


if __name__ == "__main__":
    main()
