"""Metrics for Prometheus: what they are called, how a process counts, and how they are served.

catalogue   every metric of docmill, with its labels: the documentation and the alert rules are checked against it
recorder    counts in this process: no Prometheus client is needed where the work is done
reporting   a worker's process writes its counts to a file; its launcher adds up the files of all its processes
asked       whether a worker or scheduler serves its metrics
serving     the HTTP server of /metrics, in the launcher, the scheduler and `docmill metrics`
"""
