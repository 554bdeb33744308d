"""The scheduler: requests become jobs, the loop feeds the workers and finishes jobs, schedules fire."""
