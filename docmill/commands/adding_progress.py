"""How far `docmill add` is, on a terminal: the file, how much of it is read, what is stored, and how fast."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from docmill.commands.output import console, one_line
from readers.watch import Watch

if TYPE_CHECKING:
    from rich.text import Text

    from db.documents import Added

#: Characters of a file's name: its end says more than its beginning.
NAME_CHARS = 18
#: The rate is that of at most this many seconds.
RATE_SECONDS = 10.0


class AddingProgress:
    """What is known; `line` puts it into words at any time."""

    def __init__(self, hide: Callable[[], None]) -> None:
        from db.documents import Added

        self.watch = Watch()
        self.stored = Added()
        self.n_bad = 0
        #: Take the line off the terminal.
        self.hide = hide
        #: (when, documents) of the batches of the last seconds.
        self._batches = [(time.monotonic(), 0)]

    def tell(self, stored: Added, n_bad: int) -> None:
        """After each batch."""
        self.stored, self.n_bad = stored, n_bad
        now = time.monotonic()
        self._batches.append((now, stored.n_good))
        while len(self._batches) > 2 and now - self._batches[1][0] > RATE_SECONDS:
            del self._batches[0]

    def line(self) -> str:
        """ "reviews.jsonl 41 %: 120,000 documents, 3 bad, 14,000/s" """
        name, share = one_line(self.watch.name), self.watch.share
        file = name if len(name) <= NAME_CHARS else f"…{name[1 - NAME_CHARS :]}"
        if share is not None:
            file += f" {100 * share:.0f} %"
        if self.watch.n_files > 1:
            file += f" (file {self.watch.n_files:,})"
        parts = [f"{self.stored.n_good:,} documents"]
        if self.n_bad:
            parts.append(f"{self.n_bad:,} bad")
        if (rate := self._rate()) is not None:
            parts.append(f"{rate:,.0f}/s")
        return (f"{file}: " if file else "") + ", ".join(parts)

    def _rate(self) -> float | None:
        (began, before), (ended, now) = self._batches[0], self._batches[-1]
        return (now - before) / (ended - began) if ended > began else None


@contextmanager
def shown(*, quiet: bool = False) -> Iterator[AddingProgress]:
    """The progress, shown on stderr inside if that is a terminal."""
    from rich.progress import Progress, ProgressColumn, SpinnerColumn

    class Line(ProgressColumn):
        """Asks at each refresh, so that a file that takes long is seen to go on."""

        def render(self, _task: object) -> Text:
            from rich.text import Text

            return Text(known.line(), no_wrap=True, overflow="ellipsis")

    out = console(stderr=True)
    columns = (SpinnerColumn(), Line())
    with Progress(*columns, console=out, transient=True, disable=quiet or not out.is_terminal) as progress:
        known = AddingProgress(progress.stop)
        progress.add_task("", total=None)
        yield known
