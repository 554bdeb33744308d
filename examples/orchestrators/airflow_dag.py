"""A DAG of Airflow: add the day's documents, submit the night's jobs, wait for each, and fail if too many documents
failed.

Copy this file and night_jobs.py into Airflow's folder of DAGs. The steps run in a virtual environment of their own
on each of Airflow's workers, so that the dependencies of Airflow and of docmill need not agree:

    python -m venv /opt/docmill && /opt/docmill/bin/pip install 'docmill[http]'
    export NIGHT_PYTHON=/opt/docmill/bin/python
    export DOCMILL_SERVER_URL=http://127.0.0.1:8484 DOCMILL_SERVER_KEY=docmill_...

One run without a scheduler, to try it:

    python airflow_dag.py
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta

import night_jobs
from airflow.sdk import dag, task

PATHS = os.environ.get("NIGHT_PATHS", "/srv/documents").split(os.pathsep)
COLLECTION = os.environ.get("NIGHT_COLLECTION", "inbox")
#: The interpreter of the virtual environment that has docmill.
PYTHON = os.environ.get("NIGHT_PYTHON", "/opt/docmill/bin/python")


@dag(
    schedule="0 1 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
)
def docmill_night() -> None:
    """The jobs run at the same time. Their keys are made of the run: a step that Airflow tries again finds its job."""
    there = task.external_python(python=PYTHON, expect_airflow=False)
    added = there(night_jobs.add)(PATHS, COLLECTION)
    for kind in ("summarize", "keywords"):
        submit = there(night_jobs.submit).override(task_id=f"submit_{kind}")
        finish = there(night_jobs.finish).override(task_id=f"finish_{kind}", retries=0)
        number = submit(kind, COLLECTION, "night {{ run_id }}")
        added >> number
        finish(number)


night = docmill_night()

if __name__ == "__main__":
    night.test()
