"""Break the code in named ways, one at a time, in a copy of it, and show which test catches each.

    python -m tests.mutants [--only WORDS]

Exit status 1 if a mutant survives. A mutant that no longer fits the code is an error, not a success.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPIED = ("db", "readers", "nlp_tasks", "workers", "scheduler", "docmill", "tests", "pyproject.toml")


@dataclass(frozen=True)
class Mutant:
    """One way to break one file, and the tests that must notice."""

    name: str
    path: str
    before: str
    after: str
    #: Files of tests, or single ones, relative to tests/.
    tests: tuple[str, ...]
    #: SQLite is enough, unless what is broken is PostgreSQL's alone.
    on_postgres: bool = False


CHUNKS = ("db/test_chunks.py",)
JOBS = ("db/test_jobs.py",)
RUN = ("workers/test_chunk_run.py",)
TURNS = "scheduler/test_turns.py"
BATCHES = ("workers/test_batches.py",)
TICK = ("scheduler/test_loop.py",)
INCREMENTS = ("commands/test_similar_increments.py",)
MERGED = ("nlp/test_similarity_increments.py",)

ISOLATED = "readers/extraction/test_isolated.py"
EXTRACTION = "nlp/test_extraction.py"

MUTANTS = (
    Mutant("no reaper", "scheduler/loop/scheduler.py", '("reap", self.reaper.reap),', "", TICK),
    Mutant(
        "fed once only",
        "db/chunks/feeding.py",
        "Chunk.sent_at < now(-resend_seconds)",
        "Chunk.sent_at < now(-1e9)",
        TICK,
    ),
    Mutant(
        "no fence",
        "db/chunks/hot.py",
        'chunk.fence == bindparam("b_fence"),',
        'chunk.fence + 1 > bindparam("b_fence"),',
        CHUNKS,
    ),
    Mutant(
        "no primary key on outcomes",
        "db/migrations/versions/2026_11_21_0001_first_tables.py",
        'sa.PrimaryKeyConstraint("job_id", "document_id", name=op.f("pk_outcome")),',
        "",
        JOBS,
    ),
    Mutant(
        "lease never renewed",
        "workers/running/lease.py",
        "chunks.renew(session, self.claim, self.seconds, note)",
        "pass",
        RUN,
    ),
    Mutant(
        "lease always renewed",
        "workers/running/lease.py",
        "if (goes_on or is_loading) and",
        "if",
        ("workers/test_slow_machine.py::test_what_hangs_loses_the_lease_and_ends_with_a_traceback",),
    ),
    Mutant(
        "batch error blamed on all its documents",
        "workers/running/batches.py",
        "        if len(documents) == 1:\n            return [blame(documents[0], error)]",
        "        return [blame(document, error) for document in documents]",
        BATCHES,
    ),
    Mutant(
        "infrastructure error blamed on documents",
        "workers/running/batches.py",
        "        if not_theirs(error):\n            raise\n",
        "",
        BATCHES,
    ),
    Mutant(
        "two may claim one chunk",
        "db/chunks/conditions.py",
        "(chunk.state == ChunkState.READY, is_due(chunk))",
        "(is_due(chunk),)",
        CHUNKS,
    ),
    Mutant(
        "a paused job is worked on",
        "db/chunks/conditions.py",
        "(job.id == chunk.job_id, job.state == JobState.RUNNING)",
        "(job.id == chunk.job_id,)",
        JOBS,
    ),
    Mutant(
        "poison is tried for ever",
        "db/chunks/deaths.py",
        "if may_end and n_suspect >= alone:",
        "if False:",
        CHUNKS,
    ),
    Mutant(
        "a death is blamed on the next document too",
        "db/chunks/claims.py",
        '"n_suspect_crashes": case((same, Chunk.n_suspect_crashes), else_=0),',
        '"n_suspect_crashes": Chunk.n_suspect_crashes,',
        CHUNKS,
    ),
    Mutant(
        "a fault of the machine counts as a crash",
        "db/chunks/claims.py",
        '{"n_put_back": before + 1, "fault": fault}',
        '{"n_put_back": before + 1, "fault": fault, "n_crashes": Chunk.n_crashes + 1}',
        CHUNKS,
    ),
    Mutant(
        "a worker that lost its chunk is not told",
        "db/chunks/claims.py",
        "    if not changed(session, statement.values(values)):",
        "    if changed(session, statement.values(values)) is None:",
        CHUNKS,
    ),
    Mutant(
        "a lost answer to a commit is taken for a failed one",
        "workers/running/storing.py",
        "if tries == 1:",
        "if tries > 0:",
        RUN,
    ),
    Mutant(
        "no check that every document is counted",
        "db/migrations/versions/2026_11_21_0001_first_tables.py",
        """        sa.CheckConstraint(
            "state NOT IN ('finished', 'cancelled') OR n_ok + n_error = n_documents",
            name=op.f("ck_job_every_document_counted"),
        ),
""",
        "",
        JOBS,
    ),
    Mutant(
        "the next stage does not wait for the one before",
        "db/chunks/conditions.py",
        ".where(earlier.job_id == job_id, earlier.state != ChunkState.CLOSED)",
        ".where(earlier.job_id == job_id, earlier.state == ChunkState.BLOCKED)",
        JOBS,
    ),
    Mutant(
        "a job finishes before its chunks",
        "db/jobs/finishing.py",
        "            ~exists().where(*is_open(job_id)),\n",
        "",
        JOBS,
    ),
    Mutant(
        "outcomes may be changed",
        "db/migrations/versions/2026_11_21_0001_first_tables.py",
        "    _refuse_changes_of_outcomes(is_postgres)\n\n",
        "\n",
        JOBS,
    ),
    Mutant(
        "Redis is filled without a window",
        "scheduler/loop/feeding.py",
        "min(n_ready, self._settings.window) - depth",
        "n_ready",
        TICK,
    ),
    Mutant(
        "messages that Redis refused are forgotten",
        "scheduler/loop/feeding.py",
        "chunks.unsend(session, [message.chunk_id for message in messages])",
        "pass",
        TICK,
    ),
    Mutant(
        "many schedulers fire a schedule many times",
        "db/schedules.py",
        "        Schedule.next_at == schedule.next_at,\n",
        "",
        ("db/test_schedules.py",),
    ),
    Mutant(
        "a death before the first document is blamed on the last suspect",
        "db/chunks/deaths.py",
        " and chunk.suspect_fence == chunk.fence",
        "",
        CHUNKS,
    ),
    Mutant(
        "a missed schedule fires ahead of its time",
        "scheduler/cron.py",
        "lambda moment: moment <= until",
        "lambda moment: True",
        ("db/test_schedules.py", "scheduler/test_firing.py"),
    ),
    Mutant(
        "rows about documents that are not there",
        "db/migrations/result_tables.py",
        "RAISE foreign_key_violation USING MESSAGE = format('{table}: there",
        "RAISE NOTICE USING MESSAGE = format('{table}: there",
        ("db/test_migrations.py",),
        on_postgres=True,
    ),
    Mutant(
        "a changed document replaces the old one in silence",
        "db/documents.py",
        "before.version + 1 if before else removed",
        "1 if before else removed",
        ("db/test_documents.py",),
    ),
    Mutant(
        "a later stage runs documents that have their outcome",
        "workers/running/loading.py",
        "self._claim.fence == 1 and self._claim.stage == 0 and",
        "self._claim.fence == 1 and",
        ("workers/test_stages.py",),
    ),
    Mutant(
        "any error of the database is blamed on a document",
        "workers/running/storing.py",
        "if not is_data_error(error):",
        "if False:",
        ("commands/test_messages_without_sql.py::test_a_chunk_that_cannot_be_written_tells_why_without_sql",),
    ),
    Mutant(
        "a conflict in the queue is a document's fault",
        "db/database_errors.py",
        " and not _is_of_the_queue(error)",
        "",
        ("db/test_database_errors.py",),
    ),
    Mutant(
        "an error repeats its statement",
        "db/store.py",
        '    event.listen(engine, "begin", _sqlite_begin)\n    event.listen(engine, "handle_error", without_sql)\n',
        '    event.listen(engine, "begin", _sqlite_begin)\n',
        ("db/test_database_errors.py",),
    ),
    Mutant(
        "statements are prepared behind pgbouncer",
        "db/store.py",
        '"prepare_threshold": None',
        '"prepare_threshold": 5',
        ("db/test_pgbouncer.py",),
    ),
    Mutant(
        "a query may do what SQLite asks about",
        "db/ad_hoc.py",
        "connection.set_authorizer(_may)",
        "pass",
        ("db/test_ad_hoc.py",),
    ),
    Mutant(
        "a query may call any function",
        "db/ad_hoc.py",
        "called & (set(volatile) - _HARMLESS)",
        "called & set()",
        ("db/test_ad_hoc.py::test_an_attack_by_the_owner_without_a_reader_is_refused_or_ended",),
    ),
    Mutant(
        "a query may hold several statements",
        "db/ad_hoc.py",
        'FOR {query}", binary=True)',
        'FOR {query}")',
        ("db/test_ad_hoc.py::test_an_attack_by_the_owner_without_a_reader_is_refused_or_ended",),
    ),
    Mutant(
        "CUDA_VISIBLE_DEVICES is ignored",
        "workers/processes/gpus.py",
        'given = environment.get("CUDA_VISIBLE_DEVICES")',
        "given = None",
        ("workers/test_devices.py",),
    ),
    Mutant(
        "a lost GPU is not reported",
        "workers/processes/gpus.py",
        "if words or (status and",
        "if (status and",
        ("workers/test_devices.py",),
    ),
    Mutant(
        "a chunk of errors is a success to Flower",
        "workers/running/storing.py",
        "return Failed(words) if self.n_error and not self.n_ok else words",
        "return words",
        ("workers/test_flower.py",),
    ),
    Mutant(
        "a partly failed chunk is a failure to Flower",
        "workers/running/storing.py",
        "if self.n_error and not self.n_ok else words",
        "if self.n_error else words",
        ("workers/test_flower.py",),
    ),
    Mutant(
        "modules in the current folder replace ours",
        "workers/kinds.py",
        "sys.path.append(folder)",
        "sys.path.insert(0, folder)",
        (
            "commands/test_up_anywhere.py::test_modules_in_the_current_folder_replace_none_of_ours_and_kinds_there_load",
        ),
    ),
    Mutant(
        "a worker that keeps dying looks alive",
        "workers/processes/supervision.py",
        "return self.is_alive() and (",
        "return True or (",
        ("commands/test_alive.py",),
    ),
    Mutant(
        "a cancelled job is closed until it is empty",
        "scheduler/loop/moving.py",
        "            self._stop_some(job_id)\n            self._finish(job_id)",
        "            for _ in range(1_000):\n                self._stop_some(job_id)\n            self._finish(job_id)",
        (f"{TURNS}::test_jobs_that_are_cancelled_take_turns",),
    ),
    Mutant(
        "turns do not look whether to stop",
        "scheduler/loop/turns.py",
        "return self._stopping.is_set() or time.monotonic() >= self._until",
        "return time.monotonic() >= self._until",
        (f"{TURNS}::test_a_turn_ends_when_the_scheduler_is_told_to_stop",),
    ),
    Mutant(
        "every turn begins with the first job",
        "scheduler/loop/moving.py",
        "self._last_job = job_id",
        "pass",
        (f"{TURNS}::test_jobs_that_are_cancelled_take_turns",),
    ),
    Mutant(
        "lost leases are reaped without a bound",
        "scheduler/loop/reaping.py",
        "chunks.reap(session, STEP_REAPED)",
        "chunks.reap(session, 1_000_000)",
        (f"{TURNS}::test_many_lost_leases_are_reaped_in_steps_of_a_turn",),
    ),
    Mutant(
        "many ids on SQLite read the whole table",
        "db/sql.py",
        "    _is_implicitly_boolean = True\n",
        "",
        (f"{TURNS}::test_a_step_does_no_more_work_for_a_job_of_many_chunks",),
    ),
    Mutant(
        "what an unfinished job holds is new again",
        "db/selection.py",
        ".where(planned.c.id.is_(None))",
        "",
        ("db/test_jobs.py::test_only_new_leaves_out_what_a_job_like_it_still_has_to_do",),
    ),
    Mutant(
        "the keeper renews whether or not the process works",
        "workers/running/pace.py",
        "if self._moved < LEAST_SHARE * (now - self._moved_at):",
        "if False:",
        ("workers/test_slow_machine.py::test_what_hangs_loses_the_lease_and_ends_with_a_traceback",),
    ),
    Mutant(
        "a busy loop is taken for work for ever",
        "workers/running/lease.py",
        "if self._pace.spent > self._limit:",
        "if False:",
        ("workers/test_slow_machine.py::test_what_hangs_loses_the_lease_and_ends_with_a_traceback",),
    ),
    Mutant(
        "a single long call loses the lease",
        "workers/running/lease.py",
        "if (goes_on or is_loading) and",
        "if is_loading and",
        ("workers/test_slow_machine.py::test_a_single_call_at_a_tenth_of_a_core_keeps_the_lease",),
    ),
    Mutant(
        "no beat from inside the steps after the counting of n-grams",
        "nlp_tasks/heartbeat.py",
        "before, _listener = _listener, listener",
        "before = _listener",
        ("nlp/test_beats.py::test_a_training_of_a_classifier_is_never_silent[linear]",),
    ),
    Mutant(
        "a failed job keeps the last word of its training",
        "db/jobs/finishing.py",
        "        _count_and_note(session, job_id)",
        "        pass",
        ("commands/test_failed_jobs.py",),
    ),
    Mutant(
        "CP949 found without reading the letters",
        "readers/encodings.py",
        " and _is_korean(_text(korean))",
        "",
        ("readers/test_encodings.py::test_what_is_not_korean_is_not_read_as_cp949",),
    ),
    Mutant(
        "delimiter found without looking for the fields",
        "readers/dialects.py",
        "(each for each in found if _has_fields(sample, *each, wanted))",
        "(each for each in found if False)",
        ("readers/test_dialects.py",),
    ),
    Mutant(
        "advice names an option that is not there",
        "readers/json_objects.py",
        '"MISSING_KEY", "--key-field"',
        '"MISSING_KEY", "--key"',
        ("commands/test_remedies.py::test_what_a_message_advises_works",),
    ),
    Mutant(
        "a broken object takes the next one with it",
        "readers/json_values.py",
        "if end is not None and (self._end or not next_one.search(self._text, self._at + 1, end)):",
        "if end is not None:",
        ("readers/test_json_values.py",),
    ),
    Mutant(
        "number of sentences without a limit",
        "nlp_tasks/summarization/__init__.py",
        '            le=10_000,\n            description="length of a summary in sentences',
        '            description="length of a summary in sentences',
        ("commands/test_parameter_bounds.py::test_a_value_is_refused_in_a_line_or_kept_in_bounds",),
    ),
    Mutant(
        "lines with room for the next word count as wrapped",
        "nlp_tasks/sentences/wrapping.py",
        "even = (n_full >= _FULL_SHARE * len(unended) and is_prose)",
        "even = is_prose",
        ("nlp/test_sentences.py::test_sentences_end_where_a_reader_ends_them",),
    ),
    Mutant(
        "offsets of summaries are those of the text without markup",
        "nlp_tasks/summarization/extractive/runner.py",
        "*seen.origin(*span), score",
        "*span, score",
        ("nlp/test_summarization.py",),
    ),
    Mutant(
        "single jamo are words",
        "nlp_tasks/keywords/phrases.py",
        "    for pattern in (_jamo, _notice, _marks, _gloss, _heading):",
        "    for pattern in (_notice, _marks, _gloss, _heading):",
        ("nlp/test_keywords.py",),
    ),
    Mutant(
        "a reading command makes a store",
        "scheduler/store.py",
        "return open_store(settings().url, create=False)",
        "return open_store(settings().url)",
        ("commands/test_daily_use.py::test_no_command_makes_a_store_that_has_nothing_to_put_in[status]",),
    ),
    Mutant(
        "cancelled counts as failed",
        "db/progress.py",
        "return self.n_error - self.n_cancelled",
        "return self.n_error",
        ("commands/test_daily_use.py::test_what_was_cancelled_did_not_fail",),
    ),
    Mutant(
        "a death frees all that workers of its name hold",
        "db/chunks/conditions.py",
        '    of_worker = Chunk.instance.startswith(f"{instance}.", autoescape=True)\n'
        "    return (Chunk.state == ChunkState.LEASED, or_(Chunk.instance == instance, of_worker))",
        "    name = select(Chunk.worker).where(Chunk.instance == instance).limit(1).scalar_subquery()\n"
        "    return (Chunk.state == ChunkState.LEASED, Chunk.worker == name)",
        CHUNKS,
    ),
    Mutant(
        "a death frees what other processes of its worker hold",
        "db/chunks/conditions.py",
        "or_(Chunk.instance == instance, of_worker)",
        'Chunk.instance.startswith(instance.partition(".")[0])',
        CHUNKS,
    ),
    Mutant(
        "a claim does not look at the schema",
        "db/chunks/hot.py",
        "        compatibility.is_known_to(SCHEMA),\n",
        "",
        CHUNKS,
    ),
    Mutant(
        "a lost lease makes the chunk careful at once",
        "db/chunks/claims.py",
        "row.n_lost > MAX_LOST_TOGETHER",
        "row.n_lost > 0",
        CHUNKS,
    ),
    Mutant(
        "a loss counts as a crash",
        "db/chunks/deaths.py",
        '"n_lost": chunk.n_lost + 1,',
        '"n_lost": chunk.n_lost + 1, "n_crashes": chunk.n_crashes + 1,',
        CHUNKS,
    ),
    Mutant(
        "a hang whose lease ran out first is forgotten",
        "db/chunks/deaths.py",
        "    if lost is None:\n        return False\n",
        "    return False\n",
        CHUNKS,
    ),
    Mutant(
        "what nobody saw counts as a crash",
        "workers/processes/requeue.py",
        "    elif is_witness:",
        "    elif True:",
        ("workers/test_orphans.py",),
    ),
    Mutant(
        "a process that is alive is taken for dead",
        "workers/processes/crash_reports.py",
        "    except BlockingIOError:\n        return True",
        "    except BlockingIOError:\n        return False",
        ("workers/test_crash_reports.py",),
    ),
    Mutant(
        "newer tables are blamed on documents",
        "workers/running/storing.py",
        "            self._insist_on_a_known_schema(error)\n",
        "            pass\n",
        ("workers/test_chunk_run.py::test_a_write_that_newer_tables_refuse_is_blamed_on_no_document",),
    ),
    Mutant(
        "older code upgrades newer tables",
        "db/migrations/__init__.py",
        "        store.refuse_newer(_schema(connection))\n",
        "",
        ("db/test_migrations.py",),
    ),
    Mutant(
        "a lack of memory is taken for a crash",
        "readers/extraction/isolated.py",
        "if died.n_bytes >= _FULL * self.memory:",
        "if False:",
        (f"{ISOLATED}::test_a_lack_of_memory_is_the_files_alone",),
    ),
    Mutant(
        "a parser may take as long as it likes",
        "readers/extraction/isolated.py",
        "if time.monotonic() > deadline:",
        "if time.monotonic() > deadline + 600:",
        (f"{ISOLATED}::test_what_kills_its_process_is_blamed_alone",),
    ),
    Mutant(
        "a document that kills its parser takes its archive with it",
        "readers/extraction/isolated.py",
        "if not inside or len(refused) >= _MOST_KILLERS:",
        "if True:",
        (f"{ISOLATED}::test_neighbours_in_an_archive_are_read_whatever_one_of_them_does",),
    ),
    Mutant(
        "a parser that was killed once is blamed",
        "readers/extraction/isolated.py",
        "if n_deaths < 2 or (was_killed and n_killed < _MOST_KILLED):",
        "if False:",
        (f"{ISOLATED}::test_what_kills_its_process_is_blamed_alone",),
    ),
    Mutant(
        "a parser outlives its worker",
        "readers/extraction/parser_process.py",
        "ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)",
        "pass",
        (f"{ISOLATED}::test_the_parser_dies_with_its_parent",),
    ),
    Mutant(
        "offsets that do not move with the tables",
        "readers/extraction/records.py",
        "start_char=table.start_char + before[rank]",
        "start_char=table.start_char",
        (f"{EXTRACTION}::test_offsets_move_with_the_tables",),
    ),
    Mutant(
        "headings and tables are prose",
        "nlp_tasks/summarization/extractive/runner.py",
        "        if not_prose:",
        "        if False:",
        (f"{EXTRACTION}::test_a_summary_has_no_headings_and_no_rows_of_tables",),
    ),
    Mutant(
        "a page that ends in the middle is whole",
        "readers/extraction/formats/html.py",
        "    if _is_cut(text):",
        "    if False:",
        ("readers/extraction/test_damaged.py::test_a_page_that_ends_in_the_middle_is_warned_of",),
    ),
    Mutant(
        "removal: workers store results of removed documents",
        "db/chunks/claims.py",
        "written = without_removed(session, written)",
        "",
        ("db/test_removal.py",),
    ),
    Mutant(
        "removal: writers and erasers do not wait for each other",
        "db/erased.py",
        "session.execute(select(func.pg_advisory_xact_lock(_LOCK)))",
        "pass",
        ("db/test_removal.py::test_a_worker_and_a_removal_wait_for_each_other_on_postgresql",),
        on_postgres=True,
    ),
    Mutant(
        "removal: the detail of an error stays",
        "db/removal/erasing.py",
        "    jobs.erase_notes(session, ids)\n",
        "    jobs.erase_notes(session, ids)\n    return\n",
        ("db/test_removal.py",),
    ),
    Mutant(
        "retention: a newer failure stands for a success",
        "db/retention/outcomes.py",
        "its.state == OutcomeState.OK,",
        "its.state != None,",
        ("db/test_retention.py",),
    ),
    Mutant(
        "retention: results that a view shows are pruned",
        "db/retention/outcomes.py",
        "and_(replaced, *(~each for each in shown))",
        "replaced",
        ("db/test_retention.py",),
    ),
    Mutant(
        "retention: an outcome is deleted without being counted",
        "db/migrations/versions/2026_11_26_0034_retention.py",
        "WHERE p.job_id = OLD.job_id AND p.is_open AND",
        "WHERE p.job_id = OLD.job_id AND",
        ("db/test_retention.py::test_nothing_else_can_delete_an_outcome",),
    ),
    Mutant(
        "a due time in the repeated hour lies in the past",
        "scheduler/cron.py",
        "if (in_utc := found.astimezone(UTC)) > moment:",
        "if (in_utc := found.astimezone(UTC)) > datetime.min.replace(tzinfo=UTC):",
        ("scheduler/test_firing.py",),
    ),
    Mutant(
        "a late run is notified of by every scheduler that looks",
        "db/runs.py",
        "    return changed(session, undecided.values(is_late=is_late)) and is_late\n",
        "    return is_late\n",
        ("scheduler/test_firing.py", "scheduler/test_clock.py"),
    ),
    Mutant(
        "a run that is replaced is not late, though its deadline has passed",
        "db/runs.py",
        '"note": note, "deadline_at": passed}',
        '"note": note, "deadline_at": None}',
        ("scheduler/test_firing.py",),
    ),
    Mutant(
        "a run that is over and not counted counts as one that runs",
        "scheduler/firing.py",
        "if runs.has_work(session, run)]",
        "if run]",
        ("scheduler/test_firing.py",),
    ),
    Mutant(
        "a delivery that took too long marks what another scheduler has taken over",
        "db/notifications.py",
        "        Notification.fence == claimed.fence,\n",
        "",
        ("scheduler/test_notifying.py",),
    ),
    Mutant(
        "the timestamp is not signed",
        "scheduler/notifying/webhook.py",
        'signed = f"{uid}.{timestamp}.".encode() + body',
        'signed = f"{uid}.".encode() + body',
        ("scheduler/test_notifying.py",),
    ),
    Mutant(
        "a list that a new document enters stays as it was",
        "nlp_tasks/similarity/search_runner.py",
        "            if rows:\n",
        "            if not rows:\n",
        INCREMENTS,
    ),
    Mutant(
        "a list that is not full takes no new document",
        "nlp_tasks/similarity/increments.py",
        "if len(rows) >= self._k else self._lowest",
        "if len(rows) >= self._k else 2.0",
        INCREMENTS,
    ),
    Mutant(
        "a list that lost a neighbour is not searched",
        "nlp_tasks/similarity/increments.py",
        "if n_certain < self._k and",
        "if n_certain < 0 and",
        MERGED,
    ),
    Mutant(
        "a list that is merged takes only the last score of the old one",
        "nlp_tasks/similarity/increments.py",
        "one in kept or one[0] > old.bound",
        "one in kept or one[0] >= old.bound",
        MERGED,
    ),
    Mutant(
        "a document that lost a neighbour keeps it",
        "db/selection.py",
        "            & Document.id.not_in(outdated(",
        "            | Document.id.not_in(outdated(",
        INCREMENTS,
    ),
    Mutant(
        "a list that became empty shows the one before",
        "db/views.py",
        "WHERE j.kind = 'similarity' AND w.state = 'ok'",
        "WHERE j.kind = 'none' AND w.state = 'ok'",
        INCREMENTS,
    ),
    Mutant(
        "a model learns the labels of another one",
        "scheduler/corrections.py",
        "sorted(set(theirs) - known)",
        "sorted(set(theirs) - known - set(theirs))",
        ("commands/test_corrections.py",),
    ),
    Mutant(
        "a text is trained on and held out under two keys",
        "workers/training/equal_texts.py",
        "        left_out.add(document.id)\n",
        "",
        ("commands/test_corrections.py",),
    ),
    Mutant(
        "export: CSV has formulas",
        "scheduler/cells.py",
        """        return "'" + text\n""",
        "        return text\n",
        ("scheduler/test_exports.py::test_no_text_of_a_csv_begins_as_a_formula_does",),
    ),
    Mutant(
        "export: what was interrupted leaves half a file",
        "scheduler/exports/whole_file.py",
        "        part.unlink(missing_ok=True)\n",
        "        pass\n",
        ("scheduler/test_exports.py::test_an_export_that_ends_early_leaves_what_was_there",),
    ),
    Mutant(
        "export: rows that are gone are not noticed",
        "scheduler/exports/changes.py",
        "    yield from _gone(store, attempt, reading.columns, places, seen)\n",
        "",
        ("scheduler/test_exports.py::test_the_changes_one_after_the_other_make_the_whole",),
    ),
    Mutant(
        "export: an older attempt goes on writing",
        "db/exports.py",
        "    if held.rowcount != 1:\n",
        "    if held.rowcount > 1:\n",
        ("scheduler/test_exports.py::test_an_older_attempt_writes_nothing_after_a_newer_one_has_begun",),
    ),
    Mutant(
        "digest: characters that turn the text stay",
        "docmill/pages/night/page.py",
        'if unicodedata.category(char)[0] == "C" and',
        'if unicodedata.category(char) == "Cc" and',
        ("commands/test_digest.py::test_what_is_cut_is_cut_between_characters",),
    ),
    Mutant(
        "devices: a GPU's failure is a document's crash",
        "workers/running/device_trouble.py",
        "    if found := probe.ask(_quiet(lease)):\n",
        "    if (found := probe.ask(_quiet(lease))) and False:\n",
        ("workers/test_failing_device.py::test_a_gpu_that_fails_its_probe_is_at_fault",),
    ),
    Mutant(
        "devices: a batch that ran out of memory is tried again with longer documents",
        "workers/running/sizes.py",
        "if other <= bucket and each.failed is not None",
        "if other == bucket and each.failed is not None",
        ("workers/test_sizes.py",),
    ),
    Mutant(
        "where: what is missing is not equal, so it is unequal",
        "db/where/compiling.py",
        "return case((operand.present.is_not(None), func.coalesce(is_so, false())))",
        "return func.coalesce(is_so, false())",
        ("db/test_where.py::test_a_selection_means_the_same_everywhere",),
    ),
    Mutant(
        "where: times are compared as texts",
        "db/where/compiling.py",
        "return sign(operand.moment, _parameter(time))",
        "return sign(bytewise(operand.text), literal(value))",
        ("db/test_where.py::test_a_selection_means_the_same_everywhere",),
    ),
    Mutant(
        "metadata: a choice does not hold for what is made of files",
        "db/files.py",
        "own = chosen(dict(own), (), choice) or {}",
        "own = dict(own)",
        ("commands/test_metadata.py", "commands/test_adding_files.py"),
    ),
    Mutant(
        "sources: every colon in a query is a parameter",
        "scheduler/source_rows.py",
        """escaped = _NAMES.sub(lambda found: found[0] if found[1] in values else "\\\\" + found[0], query)""",
        "escaped = query",
        ("scheduler/test_sources.py::test_values_are_bound_and_other_colons_and_percents_stay",),
    ),
    Mutant(
        "sources: records in archives lose their labels",
        "nlp_tasks/extraction/texts.py",
        ", label=self.record.label)",
        ")",
        ("commands/test_adding_files.py::test_records_in_an_archive_are_documents_with_label_and_metadata",),
    ),
    Mutant(
        "a drained worker goes on claiming",
        "db/drains.py",
        "return ~exists().where(names(host, name, instance))",
        "return exists().where(names(host, name, instance)) | ~exists().where(names(host, name, instance))",
        ("db/test_drains.py",),
    ),
    Mutant(
        "what one upgrade says of older code holds after the next",
        "db/compatibility.py",
        ".where(Tolerance.schema_revision == version)",
        "",
        ("db/test_compatibility.py",),
    ),
    Mutant(
        "fairness: a small job waits behind the messages of a large one",
        "scheduler/loop/fairness.py",
        "part.job.n_sent and part.of() > UNEVEN * first",
        "part.job.n_sent and part.of() > 1e9 * first",
        ("scheduler/test_fairness.py::test_a_small_job_does_not_wait_for_a_large_one_before_it",),
    ),
    Mutant(
        "limits: a claim locks nothing, so that two see the same room",
        "db/migrations/versions/2026_11_26_0056_admission_by_limits.py",
        " FOR UPDATE OF l",
        "",
        ("db/test_limits.py::test_no_more_chunks_run_at_once_however_many_workers_claim",),
        on_postgres=True,
    ),
    Mutant(
        "a claim that a failover forgot is taken for the next one",
        "db/chunks/claims.py",
        "        Chunk.instance == held.instance,\n",
        "",
        CHUNKS,
    ),
    Mutant(
        "a server that only reads is used again",
        "db/database_errors.py",
        "context.is_disconnect = True",
        "pass",
        ("db/test_database_errors.py",),
        on_postgres=True,
    ),
    Mutant(
        "of several databases any will do",
        "db/addresses.py",
        '{"target_session_attrs": "read-write"}',
        '{"target_session_attrs": "any"}',
        ("db/test_addresses.py",),
    ),
    Mutant(
        "a claim in one statement overlooks limits",
        "db/limits/claiming.py",
        "case((n_limits > 0, asked)",
        "case((n_limits < 0, asked)",
        ("db/test_statements_of_a_chunk.py",),
        on_postgres=True,
    ),
    Mutant(
        "results are written while documents are erased",
        "db/store.py",
        'f"{begin}; {erased.TOGETHER}" if is_together else begin',
        "begin",
        ("db/test_statements_of_a_chunk.py",),
        on_postgres=True,
    ),
    Mutant(
        "older code claims of a job that asks for newer code",
        "db/chunks/hot.py",
        "job.epoch <= _known_epoch(job)",
        "job.epoch > 0",
        ("workers/test_chunk_run.py::test_what_this_code_may_not_claim_uses_up_no_limit",),
    ),
    Mutant(
        "the time of a chunk that is closed does not count for the night on PostgreSQL",
        "db/tallies.py",
        'called = f"{function}(:number, CAST(:document AS jsonb))"',
        'called = "(SELECT :number, :document) AS nothing"',
        ("db/test_limits.py::test_device_seconds_count_for_a_chunk_with_errors_too",),
        on_postgres=True,
    ),
    Mutant(
        "spare neighbours forget the documents that came since the list was made",
        "nlp_tasks/similarity/increments.py",
        "np.flatnonzero(self._since > job_id)",
        "np.flatnonzero(self._since == _NEVER)",
        MERGED,
    ),
    Mutant(
        "the bound of a list stays where spare neighbours were cut off",
        "nlp_tasks/similarity/increments.py",
        "float(scores[-1]) if n_certain > self._size else old.bound",
        "old.bound",
        MERGED,
    ),
    Mutant(
        "a list that lost a neighbour to a removal stays short",
        "db/removal/sweeping.py",
        "values(is_cut=True)",
        "values(is_cut=False)",
        INCREMENTS,
    ),
    Mutant(
        "words of lists that other jobs wrote stay after a removal",
        "db/removal/erasing.py",
        "return union(ended, of_open, listed)",
        "return union(ended, of_open)",
        ("db/test_removal.py",),
    ),
    Mutant(
        "scores of hubs are not scaled",
        "nlp_tasks/similarity/mixed_search.py",
        "(1 - (1 - mixed) * scales)",
        "(1 - (1 - mixed))",
        ("nlp/test_similarity_mixed_search.py",),
    ),
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="mutants whose name contains this")
    chosen = [mutant for mutant in MUTANTS if parser.parse_args(arguments).only in mutant.name]
    if unfit := [mutant for mutant in MUTANTS if not fits(mutant)]:
        print(*(f"{mutant.name}: {mutant.path} no longer holds its text once" for mutant in unfit), sep="\n")
        return 1
    survivors = 0
    for mutant in chosen:
        with tempfile.TemporaryDirectory(prefix="docmill-mutant-") as folder:
            catcher = caught_by(mutant, _break(Path(folder), mutant))
        survivors += catcher is None
        print(f"{mutant.name:56} {catcher or 'SURVIVES'}", flush=True)
    print(f"{len(chosen) - survivors} of {len(chosen)} mutants caught")
    return 1 if survivors else 0


def fits(mutant: Mutant) -> bool:
    """Whether the code still has, once, what this mutant breaks."""
    path = ROOT / mutant.path
    return path.is_file() and path.read_text(encoding="utf-8").count(mutant.before) == 1


def caught_by(mutant: Mutant, copy: Path) -> str | None:
    """The first test that fails on the broken copy; None if all pass."""
    files = [str(copy / "tests" / name) for name in mutant.tests]
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        "-k",
        "postgresql" if mutant.on_postgres else "not postgresql",
        *files,
    ]
    said = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    if said.returncode == 0:
        return None
    found = re.search(r"^(?:FAILED|ERROR) (\S+)", said.stdout, re.MULTILINE)
    if found is None or said.returncode != 1:
        raise RuntimeError(
            f"{mutant.name}: the tests could not run:\n{said.stdout[-2000:]}{said.stderr[-2000:]}"
        )
    return found[1]


def _break(folder: Path, mutant: Mutant) -> Path:
    """A copy of the code with the mutation in it."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder / name)
    path = folder / mutant.path
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(mutant.before, mutant.after), encoding="utf-8")
    return folder


if __name__ == "__main__":
    sys.exit(main())
