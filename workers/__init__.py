"""The workers: the Celery app and its task, running chunks under leases, and one worker process for each device."""
