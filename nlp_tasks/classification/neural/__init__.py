"""Neural classifiers that are trained from scratch."""
