"""A relay between a client and a server on unix sockets, which can be cut as a network is: bytes under way are
kept, nobody is told, and new connections get no answer until it is restored."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path


class Relay:
    """Listens at `listen` and passes everything to and from `target`, in a thread of its own."""

    def __init__(self, listen: Path, target: Path) -> None:
        self.listen, self.target = listen, target
        #: Bytes passed on so far.
        self.n_bytes = 0
        self._loop = asyncio.new_event_loop()
        self._is_whole = asyncio.Event()
        self._is_whole.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"relay to {target.name}")

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result()

    def cut(self) -> None:
        self._loop.call_soon_threadsafe(self._is_whole.clear)

    def restore(self) -> None:
        self._loop.call_soon_threadsafe(self._is_whole.set)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> None:
        self._server = await asyncio.start_unix_server(self._connected, path=self.listen)
        # PostgreSQL's own user is not the one who connects.
        self.listen.chmod(0o777)

    async def _end(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._is_whole.wait()
        try:
            from_server, to_server = await asyncio.open_unix_connection(self.target)
        except OSError:
            writer.close()
            return
        for source, sink in ((reader, to_server), (from_server, writer)):
            task = asyncio.create_task(self._pass_on(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65_536):
                await self._is_whole.wait()
                self.n_bytes += len(data)
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        finally:
            await self._is_whole.wait()
            sink.close()
