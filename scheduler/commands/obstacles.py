"""What keeps a job from moving, for whoever watches it. Looks at the job's progress alone; doctor looks at the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.commands.output import one_line

if TYPE_CHECKING:
    from db.progress import JobProgress

#: A job that nobody works on for so long is worth a word.
STILL_SECONDS = 10.0


class Obstacles:
    """Knows what was said of what keeps a job from moving, and says it once."""

    def __init__(self) -> None:
        self.said: set[str] = set()
        self.seen: object = None
        self.moved_at = 0.0

    def news(self, now: JobProgress, seconds: float) -> str:
        """A line about the job at this moment; nothing where it moves or the same was said before."""
        moved = (now.state, now.n_done, now.n_chunks_closed, now.n_chunks_leased)
        if now.n_chunks_leased or moved != self.seen:
            self.seen, self.moved_at = moved, seconds
        if now.fault and now.state != "paused":
            cause, words = now.fault.partition(": ")[2], f"{one_line(now.fault)}; it is tried again"
        elif now.state in ("running", "cancelling") and seconds - self.moved_at > STILL_SECONDS:
            cause = words = f"nobody has worked on it for {STILL_SECONDS:.0f} s"
        else:
            return ""
        if cause in self.said:
            return ""
        self.said.add(cause)
        return f"job {now.job_id}: {words} (`docmill doctor` says what is wrong)"
