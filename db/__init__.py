"""The store: documents, jobs, chunks, outcomes, results, models, schedules. Knows no queue and no model."""
