"""docmill serve as a process: the address that it prints, a port that is taken, Ctrl-C with a page open."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

from db.store import Store

SERVE = [sys.executable, "-m", "docmill.cli", "serve", "--port"]


def test_the_printed_address_signs_in_and_ctrl_c_ends_it_with_a_page_open(sqlite_store: Store) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        url = sqlite_store.url.render_as_string(hide_password=False)
        environment = os.environ | {"DOCMILL_DATABASE_URL": url}
        refused = subprocess.run([*SERVE, str(port)], env=environment, capture_output=True, text=True)
        assert refused.returncode == 2
        assert f"cannot listen on 127.0.0.1:{port}" in refused.stderr
        assert "--port" in refused.stderr
    with subprocess.Popen([*SERVE, str(port)], env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = server.stdout.readline().split()[-1]
        assert re.fullmatch(rf"http://127\.0\.0\.1:{port}/login\?token=\S+", address)
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        assert b"Nothing needs you" in opener.open(address, timeout=20).read()
        events = opener.open(f"http://127.0.0.1:{port}/events", timeout=20)
        assert events.readline() == b"data: []\n"
        server.send_signal(signal.SIGINT)
        assert server.wait(20) == 0
