"""On PostgreSQL, functions for the statements that claim and write a chunk."""

from alembic import op

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None

#: Of each function. Its plans are made once in a session and kept: also while a table is small, or was never analysed.
_SETTINGS = "SET lock_timeout = '30s' SET enable_seqscan = off SET plan_cache_mode = force_generic_plan"

#: That a limit l holds for a job j. A job over files has the collection of their documents.
_HOLDS = """l.kind IN ('', j.kind) AND (l.submitter = '' OR l.submitter = j.submitter)
              AND (l.collection = '' OR l.collection = (
                   SELECT COALESCE(known.name, own.name) FROM collection own
                   LEFT JOIN collection known ON known.id = own.files_of_id WHERE own.id = j.collection_id))"""

#: Called by the statement that claims a chunk. It sees what that statement has changed: the chunk counts among those
#: that are held. It asks what `db.limits.claiming.admit` asks on SQLite. It locks the limits in the order of their
#: keys, and each query after that sees what others have committed meanwhile. It returns what the chunk's time counts
#: for, as [[collection, kind, submitter, night], ...], or NULL: then the chunk is ready again. A later version that
#: needs something else makes a function of another name, since older code goes on calling this one.
ADMIT = """
CREATE FUNCTION docmill_admit(the_chunk bigint, the_job bigint, new_documents bigint) RETURNS jsonb
LANGUAGE plpgsql VOLATILE {settings} AS $$
DECLARE
    lim job_limit;
    changed job_limit[] := '{}';
    meters jsonb := '[]';
    moment timestamptz;
    tonight timestamptz;
    held bigint;
    mean double precision;
BEGIN
    FOR lim IN
        SELECT l.* FROM job_limit l JOIN job j ON j.id = the_job
        WHERE (l.chunks_at_once IS NOT NULL OR l.documents_per_minute IS NOT NULL
               OR l.device_seconds_per_night IS NOT NULL) AND {holds}
        ORDER BY l.collection, l.kind, l.submitter FOR UPDATE OF l
    LOOP
        moment := clock_timestamp();
        -- A night begins at noon in the limit's time zone.
        tonight := CASE WHEN lim.device_seconds_per_night IS NOT NULL THEN
            (date_trunc('day', moment AT TIME ZONE lim.time_zone - interval '12 hours') + interval '12 hours')
            AT TIME ZONE lim.time_zone END;
        IF lim.chunks_at_once IS NOT NULL OR lim.night_from = tonight THEN
            SELECT count(*) INTO held FROM chunk c JOIN job j ON j.id = c.job_id, LATERAL (SELECT lim.*) l
            WHERE c.state = 'leased' AND {holds};
        END IF;
        mean := CASE WHEN lim.chunks_done > 0 THEN lim.seconds_used / lim.chunks_done ELSE 0 END;
        IF lim.documents_per_minute IS NOT NULL AND lim.next_at > moment
           OR lim.chunks_at_once IS NOT NULL AND held > lim.chunks_at_once
           OR lim.night_from = tonight AND (lim.seconds_used >= lim.device_seconds_per_night
              OR lim.seconds_used + held * mean > lim.device_seconds_per_night) THEN
            UPDATE chunk SET state = 'ready', lease_until = NULL, sent_at = NULL, not_before = NULL,
                             ready_at = clock_timestamp() WHERE id = the_chunk;
            RETURN NULL;
        END IF;
        IF tonight IS NOT NULL THEN
            meters := meters || jsonb_build_array(
                jsonb_build_array(lim.collection, lim.kind, lim.submitter, tonight));
        END IF;
        IF tonight IS NOT NULL AND lim.night_from IS DISTINCT FROM tonight THEN
            lim.night_from := tonight;
            lim.seconds_used := 0;
            lim.chunks_done := 0;
            changed := changed || lim;
        END IF;
        IF lim.documents_per_minute IS NOT NULL THEN
            -- The generic cell rate algorithm (ITU-T I.371); a pause of one second is made up for.
            lim.next_at := GREATEST(lim.next_at, moment - interval '1 second')
                           + new_documents * interval '1 minute' / lim.documents_per_minute;
            changed := changed || lim;
        END IF;
    END LOOP;
    FOREACH lim IN ARRAY changed LOOP
        UPDATE job_limit l SET next_at = lim.next_at, night_from = lim.night_from,
                               seconds_used = lim.seconds_used, chunks_done = lim.chunks_done
        WHERE l.collection = lim.collection AND l.kind = lim.kind AND l.submitter = lim.submitter;
    END LOOP;
    RETURN meters;
END $$
""".replace("{holds}", _HOLDS)

#: Adds the time since a chunk was claimed to the nights that it counts for, in the order of the limits' keys. A night
#: that is over no longer counts. The meters are what `docmill_admit` has returned.
COUNT_TIME = """
CREATE FUNCTION docmill_count_time(the_chunk bigint, meters jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE {settings} AS $$
DECLARE
    meter jsonb;
    seconds double precision;
BEGIN
    SELECT COALESCE(EXTRACT(EPOCH FROM clock_timestamp() - claimed_at), 0) INTO seconds FROM chunk WHERE id = the_chunk;
    FOR meter IN SELECT value FROM jsonb_array_elements(meters) ORDER BY value ->> 0, value ->> 1, value ->> 2 LOOP
        UPDATE job_limit SET seconds_used = seconds_used + seconds, chunks_done = chunks_done + 1
        WHERE collection = meter ->> 0 AND kind = meter ->> 1 AND submitter = meter ->> 2
          AND night_from = CAST(meter ->> 3 AS timestamptz);
    END LOOP;
END $$
"""

#: Holds the lock of those who write results (`db.erased`) until the transaction ends, and returns whether one of the
#: documents was erased: what it sees was committed before it had the lock, and nobody erases while it has it.
ANY_ERASED = """
CREATE FUNCTION docmill_any_erased(ids bigint[]) RETURNS boolean
LANGUAGE plpgsql VOLATILE {settings} AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(x'646f6572'::bigint);
    RETURN EXISTS (SELECT FROM document WHERE erased_at IS NOT NULL)
           AND EXISTS (SELECT FROM document WHERE id = ANY(ids) AND erased_at IS NOT NULL);
END $$
"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for function in (ADMIT, COUNT_TIME, ANY_ERASED):
            op.execute(function.replace("{settings}", _SETTINGS))
