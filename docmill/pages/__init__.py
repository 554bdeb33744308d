"""Pages of HTML to look at: each one file that needs nothing else."""
