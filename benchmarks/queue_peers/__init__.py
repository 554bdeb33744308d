"""docmill's queue beside procrastinate, graphile-worker, BullMQ, Dramatiq and Celery: speed, and what ten faults cost.

    make bench-peers                        (python -m benchmarks.queue_peers --help)

peers.py        what is compared: commands and settings of each
tasks/          the same task for each
site.py         one Redis and one PostgreSQL for a peer, a new database for each run
workers.py      its processes, started again when they die
speed.py        jobs and documents a second, processor time, bytes
faults.py       the ten faults
trial.py        one fault: what runs, when it strikes, how long results are waited for
queues.py       which documents a queue still holds
losses.py       what was lost and what was done twice
database.py     the tables of the peers, and the record of each write
"""
