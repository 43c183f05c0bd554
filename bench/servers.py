"""The servers: how they are built, started, watched and stopped."""

import os
import re
import secrets
import socket
import subprocess
import time
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
# Who has Cargo build elsewhere gets the baselines there too, in a folder of their own.
ELSEWHERE = os.environ.get("CARGO_TARGET_DIR")
TARGET = Path(ELSEWHERE or ROOT / "target").resolve()
BASELINES_TARGET = TARGET / "baselines" if ELSEWHERE else BENCH / "baselines/target"
CHATKEEP = TARGET / "release/chatkeep"
BASELINES = BASELINES_TARGET / "release"

START_SECONDS = 10


def build():
    for folder, target in ((ROOT, TARGET), (BENCH / "baselines", BASELINES_TARGET)):
        command = ["cargo", "build", "--release", "--locked", "--target-dir", target]
        subprocess.run(command, cwd=folder, check=True)


class Server:
    """A server that is running, until the end of a `with`."""

    def __init__(self, name, command, ready_path, token, folder):
        self.name = name
        self.token = token
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.command = [str(part).format(address=f"127.0.0.1:{self.port}") for part in command]
        self.ready_path = ready_path
        # Sessions that stay are numbered from here on.
        self.first = 1
        # Session numbers from `first_spare` to `last` are there to be deleted.
        self.first_spare = self.last = 0

    def __enter__(self):
        started = time.perf_counter()
        self.process = subprocess.Popen(
            self.command, cwd=self.folder, stdout=subprocess.DEVNULL
        )
        try:
            while not self._is_ready():
                if self.process.poll() is not None:
                    raise SystemExit(f"{self.name} did not start")
                if time.perf_counter() - started > START_SECONDS:
                    raise SystemExit(f"{self.name} is not ready after {START_SECONDS} s")
                time.sleep(0.0002)
        except BaseException:
            self.__exit__()
            raise
        self.ready_seconds = time.perf_counter() - started
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _is_ready(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port)) as connection:
                connection.sendall(
                    f"GET {self.ready_path} HTTP/1.1\r\nHost: localhost\r\n"
                    f"Authorization: Bearer {self.token}\r\n\r\n".encode()
                )
                return connection.recv(4096).startswith(b"HTTP/1.1 200 ")
        except OSError:
            return False

    def cpu_seconds(self):
        # As clock_getcpuclockid makes it: /proc only tells hundredths of a second.
        return time.clock_gettime(~self.process.pid << 3 | 2)

    def memory_mib(self):
        """Resident memory, and the share of it that is this process's own (Pss)."""
        rollup = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return tuple(
            int(re.search(rf"^{name}: +(\d+) kB$", rollup, re.M)[1]) / 1024
            for name in ("Rss", "Pss")
        )

    def forget_peak(self):
        """Lets the peak of resident memory begin anew."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def peak_mib(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"^VmHWM:\s+(\d+) kB$", status, re.M)[1]) / 1024

    def written_bytes(self):
        """What was handed to the disk and, if the file system does not tell, to any file."""
        io = Path(f"/proc/{self.process.pid}/io").read_text()
        fields = dict(line.split(": ") for line in io.splitlines())
        return int(fields["write_bytes"]) or int(fields["wchar"])


def chatkeep(folder, settings=""):
    """This server, with `settings` in a file in the folder that its database is in too."""
    folder.mkdir()
    (folder / "chatkeep.toml").write_text(settings)

    def command(*words):
        words = [CHATKEEP, *words, "--data-dir", folder]
        done = subprocess.run(words, check=True, cwd=folder, stdout=subprocess.PIPE, text=True)
        return done.stdout

    command("user", "create", "bench@example.com")
    token = command("token", "create", "bench@example.com").strip()
    serve = [CHATKEEP, "serve", "--data-dir", folder, "--listen", "{address}"]
    return Server("chatkeep", serve, "/readyz", token, folder)


def node(name, folder, database, bus):
    """One of the nodes that share a database; its settings are in the folder."""
    serve = [CHATKEEP, "serve", "--database-url", database, "--bus", bus, "--listen", "{address}"]
    return Server(name, serve, "/readyz", "none", folder)


def handwritten(folder):
    token = secrets.token_hex(40)
    serve = [BASELINES / "handwritten", "{address}", folder / "handwritten.db", token]
    return Server("handwritten", serve, "/api/v1/chat?limit=1", token, folder)


def bare(folder, session, sessions):
    """The bare server; `session` and `sessions` are what it answers."""
    (folder / "session.json").write_bytes(session)
    (folder / "sessions.json").write_bytes(sessions)
    serve = [BASELINES / "bare", "{address}", folder / "session.json", folder / "sessions.json"]
    return Server("bare", serve, "/api/v1/chat", "none", folder)
