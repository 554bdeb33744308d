"""HTML pages about jobs and models. Each page is one file that loads nothing else."""
