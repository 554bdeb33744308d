"""docmill worker, scheduler, flower, up, demo: the commands that keep running."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from docmill.commands.about import telling_of_a_new_store
from docmill.commands.options import Devices, PerDevice
from docmill.commands.output import say, warn

if TYPE_CHECKING:
    from workers.settings import Settings


MetricsPort = Annotated[
    int | None,
    typer.Option(
        "--metrics-port",
        metavar="PORT",
        min=0,
        max=65535,
        help="Serve metrics for Prometheus at this port; 0: none. DOCMILL_METRICS_PORT if not given.",
    ),
]


def worker(
    devices: Devices = "auto",
    kinds: Annotated[
        str, typer.Option(metavar="KINDS", help="Kinds to work on, separated by commas; all if not given.")
    ] = "",
    per_device: PerDevice = 1,
    metrics_port: MetricsPort = None,
) -> None:
    """Run one worker for each device until stopped.

    On SIGTERM or Ctrl-C each worker finishes its batch; the rest of its chunk is requeued.

    Example: docmill worker --devices cuda:0,1 --kinds classify,summarize
    """
    from db import connections
    from scheduler.store import open_for_work
    from workers.kinds import all_kinds, find
    from workers.processes import logs, redis_version, runtime
    from workers.processes.devices import decide
    from workers.processes.launcher import Launcher
    from workers.settings import settings
    from workers.training import tensorboard

    connections.name_this_process("worker")
    wanted = [find(name.strip()).name for name in kinds.split(",") if name.strip()] or list(all_kinds())
    decision = decide(devices, per_device)
    logs.to_stderr()
    with telling_of_a_new_store():
        open_for_work().close()
    _warn_without_redis(settings())
    redis_version.check(settings())
    tensorboard.check(settings())
    runtime.check(settings(), decision.devices)
    logging.getLogger("docmill.launcher").log(decision.log_level, "%s", decision)
    launcher = Launcher(_with_port(metrics_port), decision.devices, wanted)
    on_stop(launcher.stopping.set)
    launcher.run()


def scheduler(metrics_port: MetricsPort = None) -> None:
    """Run the scheduler until stopped.

    It feeds Redis, requeues the chunks of dead workers, finishes jobs and fires schedules. Any number of schedulers
    may run. SIGTERM or Ctrl-C ends it within 2 seconds; the next one does what it had not committed.

    Example: docmill scheduler
    """
    from db import connections
    from scheduler.broker import Broker
    from scheduler.loop import Scheduler
    from scheduler.store import open_for_work
    from workers import tracing
    from workers.app import app
    from workers.metrics.optional_server import serve_if_asked
    from workers.processes import heartbeat, logs, redis_version
    from workers.settings import settings

    connections.name_this_process("scheduler")
    logs.to_stderr()
    # This loads all kinds: one that cannot be loaded is an error now, not of each message that is sent later.
    with telling_of_a_new_store():
        store = open_for_work()
    _warn_without_redis(settings())
    redis_version.check(settings())
    tracing.start("docmill-scheduler")
    loop = Scheduler(store, Broker(app), settings())
    asked = _with_port(metrics_port)
    serve_if_asked(asked.metrics_host, asked.metrics_port, loop.turns.metrics.counts)
    told = threading.Event()

    def stop() -> None:
        told.set()
        loop.stopping.set()

    on_stop(stop)
    if not heartbeat.run_scheduler(settings(), loop, told):
        # The interpreter would wait for the other threads.
        logging.shutdown()
        os._exit(0)


def flower(
    port: Annotated[
        int, typer.Option(metavar="PORT", min=1, max=65535, help="The port to listen on.")
    ] = 5555,
    address: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="The address; put others than 127.0.0.1 behind a proxy with TLS.",
        ),
    ] = "127.0.0.1",
) -> None:
    """Run Flower, which shows workers and messages.

    It is read-only and requires the user and password of FLOWER_BASIC_AUTH (user:password).

    Example: FLOWER_BASIC_AUTH=me:secret docmill flower
    """
    from workers.settings import settings

    if ":" not in os.environ.get("FLOWER_BASIC_AUTH", ""):
        raise ValueError(
            "set FLOWER_BASIC_AUTH=user:password: without it Flower's pages are open to everybody"
        )
    settings()
    arguments = [
        "flower", f"--address={address}", f"--port={port}", "--read_only=True",
        "--max_tasks=10000", "--persistent=False",
        # The most useful columns first: "job 42, classify, chunk 7 of 40, 256 documents".
        "--tasks_columns=args,state,result,exception,received,runtime,worker,uuid",
    ]  # fmt: skip
    # -P: modules in the current folder do not replace ours.
    command = [sys.executable, "-P", "-m", "workers.processes.celery_command", *arguments]
    os.execv(sys.executable, command)  # noqa: S606 (no shell is wanted)


def up(
    devices: Devices = "auto",
    flower_port: Annotated[
        int,
        typer.Option(
            metavar="PORT", min=0, max=65535, help="Flower's port; another free one if it is in use."
        ),
    ] = 5555,
    pages_port: Annotated[
        int,
        typer.Option(
            metavar="PORT", min=0, max=65535, help="The pages' port; another free one if it is in use."
        ),
    ] = 8484,
    no_pages: Annotated[bool, typer.Option("--no-pages", help="Do not serve the pages.")] = False,
) -> None:
    """Run everything on this machine until Ctrl-C.

    Everything is Redis, a scheduler, workers, the pages (`docmill serve`) and Flower. The store, models and logs are in
    DOCMILL_HOME (./.docmill if not set).

    Example: docmill up
    """
    from docmill.local.embedded import Stack
    from workers.kinds import all_kinds
    from workers.processes.devices import decide
    from workers.settings import settings

    decision = decide(devices)
    all_kinds()
    stopping = threading.Event()
    on_stop(stopping.set)
    stack = Stack(settings(), devices, flower_port, None if no_pages else pages_port)
    try:
        with telling_of_a_new_store():
            stack.start()
        say(f"docmill is up in {stack.home}")
        say(f"devices: {decision}")
        if stack.pages is not None:
            say(f"pages:  {stack.pages.url_that_signs_in}{_instead_of(pages_port, stack.pages.port)}")
        if stack.flower is not None:
            say(f"Flower: {stack.flower.url} (user {stack.flower.user}, password {stack.flower.password})")
        say(f"logs:   {stack.logs}")
        say("Ctrl-C stops everything; unfinished work continues at the next start.")
        sys.stdout.flush()
        stack.run(stopping)
    finally:
        say("stopping ...")
        stack.stop()


def _instead_of(wanted: int, found: int) -> str:
    return "" if wanted in (0, found) else f" (port {wanted} is in use)"


def demo(
    keep: Annotated[
        bool,
        typer.Option(
            "--keep",
            help="Keep running until Ctrl-C, with the pages and Flower; else until Enter, at a terminal.",
        ),
    ] = False,
    devices: Devices = "auto",
) -> None:
    """Show what docmill does, on real texts.

    The texts are English news, a small Korean collection, and support tickets in both languages. A quarter of the
    tickets is kept from the classifier until it labels them. The demo has its own folder in DOCMILL_HOME; if it is
    run again, it finds nothing to do.

    Example: docmill demo --keep
    """
    from docmill.demo import tour

    tour.run(devices=devices, keep=keep)


def _with_port(metrics_port: int | None) -> Settings:
    """The settings, with the port of --metrics-port if it is given."""
    from workers.settings import settings

    changes = {} if metrics_port is None else {"metrics_port": metrics_port}
    return settings().model_copy(update=changes)


def _warn_without_redis(now_settings: Settings) -> None:
    """The queue's own messages do not say how to start the Redis that they cannot reach."""
    if not now_settings.redis_url and not now_settings.embedded_socket.exists():
        warn(
            f"there is no Redis at {now_settings.embedded_socket} yet: `docmill up` starts one with everything else, "
            "DOCMILL_REDIS_URL names another"
        )


def on_stop(stop: Callable[[], None]) -> None:
    """Call `stop` on SIGTERM and on Ctrl-C, in a thread. A handler of Python's is not the place: it runs in the main
    thread, which waits, and does not wake up if the system gave the signal to another thread; and an Event that the
    main thread is about to wait for would be set while its lock is held. The number of the signal is written to a
    socket in whichever thread the system chose."""
    told, tells = socket.socketpair()
    tells.setblocking(False)
    stops = (signal.SIGTERM, signal.SIGINT)

    def wait() -> None:
        with told, tells:
            while number := told.recv(1):
                if number[0] in stops:
                    stop()

    threading.Thread(target=wait, name="on-stop", daemon=True).start()
    signal.set_wakeup_fd(tells.fileno(), warn_on_full_buffer=False)
    for number in stops:
        # Only a signal with a handler is written.
        signal.signal(number, lambda *_: None)
