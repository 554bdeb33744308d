"""The workers: the Celery app, the chunk task, lease keeping, one worker process for each device."""
