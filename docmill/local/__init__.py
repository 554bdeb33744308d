"""All of docmill on one machine: Redis, scheduler, workers and Flower as child processes."""
