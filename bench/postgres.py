"""A PostgreSQL for the benchmark, what is in it, and pgbench."""

import hashlib
import os
import pwd
import re
import shutil
import signal
import socket
import statistics
import subprocess
import time
import zlib
from pathlib import Path

import load
import servers

BIN = Path("/usr/lib/postgresql/15/bin")
NATS = servers.TARGET / "servers-venv/bin/nats-server"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": 200,
    "shared_buffers": "256MB",
    # So that few checkpoints fall into a run.
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
}
START_SECONDS = 30
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# After which what clients did is counted, also that of idle ones.
COUNTED_SECONDS = 11


def install():
    """As the tests' servers are installed."""
    subprocess.run([servers.ROOT / "scripts/servers", "true"], check=True)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


class Postgres:
    """A PostgreSQL that is running, until the end of a `with`; each commit is flushed."""

    def __init__(self, folder):
        # It refuses to run as root.
        self.user = {}
        folder.mkdir()
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
            self.user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        self.folder = folder
        self.port = free_port()

    def __enter__(self):
        data = self.folder / "data"
        initdb = [BIN / "initdb", "-D", data, "-U", "chatkeep", "-A", "trust", "-E", "UTF8"]
        initdb += ["--locale=C.UTF-8", "--no-instructions"]
        quiet = {"stdout": subprocess.DEVNULL, "cwd": self.folder, **self.user}
        subprocess.run(initdb, check=True, **quiet)
        command = [BIN / "postgres", "-D", data, "-p", str(self.port)]
        for name, value in SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        with (self.folder / "log").open("w") as log:
            self.process = subprocess.Popen(command, stderr=log, **quiet)
        ready = [BIN / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        until = time.monotonic() + START_SECONDS
        while subprocess.run(ready).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > until:
                self.__exit__()
                raise SystemExit((self.folder / "log").read_text())
            time.sleep(0.1)
        return self

    def __exit__(self, *_):
        # Clients that are left are not waited for.
        self.process.send_signal(signal.SIGINT)
        self.process.wait()

    def cpu_seconds(self):
        """Of all of its processes, also of those that have ended."""
        ticks = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if stat.parent.name == str(self.process.pid):
                ticks += sum(map(int, fields[11:15]))
            elif fields[1] == str(self.process.pid):
                ticks += sum(map(int, fields[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def database(self, name):
        self.ask("postgres", f"CREATE DATABASE {name}")
        return Database(self, name)

    def ask(self, database, sql):
        command = [BIN / "psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1"]
        command += ["-p", str(self.port), "-U", "chatkeep", "-d", database]
        done = subprocess.run(command, input=sql, check=True, stdout=subprocess.PIPE, text=True)
        return done.stdout.strip()


class Nats:
    """A NATS that is running, until the end of a `with`."""

    def __init__(self):
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"

    def __enter__(self):
        command = [NATS, "--addr", "127.0.0.1", "--port", str(self.port)]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return self
            except OSError:
                if time.monotonic() > until:
                    self.__exit__()
                    raise SystemExit("NATS is not ready") from None
                time.sleep(0.05)

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class Database:
    """A database with accounts. Session `n` is of account `n % OWNERS`."""

    OWNERS = 256

    def __init__(self, postgres, name):
        self.postgres = postgres
        self.name = name
        self.url = f"postgres://chatkeep@127.0.0.1:{postgres.port}/{name}?sslmode=disable"
        # Numbers of ten digits, so that identifiers have the same length.
        self.next_session = 1_000_000_000
        self.now = int(time.time() * 1000)

    def ask(self, sql):
        return self.postgres.ask(self.name, sql)

    def accounts(self, file):
        """Makes the accounts, and writes their tokens to the file."""
        tokens = [token(f"cbenchtoken0000000{1_000_000 + at}") for at in range(self.OWNERS)]
        file.write_text("".join(f"{text}\n" for text in tokens))
        rows = []
        for at, text in enumerate(tokens):
            owner, number = f"cbenchowner0000000{1_000_000 + at}", 1_000_000 + at
            digest = hashlib.sha256(text.encode()).hexdigest()
            rows.append(
                f"INSERT INTO account (id, email, role, created_at)"
                f" VALUES ('{owner}', 'bench{at}@example.com', 'user', {self.now});"
                f"INSERT INTO token (id, owner, kind, hash, created_at, last_used_at) VALUES"
                f" ('cbenchtoken0000000{number}', '{owner}', 'personal', '\\x{digest}',"
                f" {self.now}, {self.now + 86_400_000});"
            )
        self.ask("BEGIN;" + "".join(rows) + "COMMIT;")
        return tokens

    def sessions(self, count, first=None):
        """Makes sessions, and gives the number of the first."""
        if first is None:
            first = self.next_session
            self.next_session += count
        self.ask(
            f"WITH new AS (SELECT n, 1000000 + n % {self.OWNERS} AS o"
            f"  FROM generate_series({first}::bigint, {first + count - 1}) AS n),"
            f" made AS (INSERT INTO session (owner, number, id, title, kind, status,"
            f"  system_message, version, created_at, updated_at, named, changed)"
            f"  SELECT 'cbenchowner0000000' || o, n, 'cbenchmade' || lpad(n::text, 15, '0'),"
            f"  'My Chat', 'text', 'active', '', 1, {self.now}, {self.now} + n % 1000, TRUE, n"
            f"  FROM new RETURNING owner, changed)"
            f" INSERT INTO feed (owner, last, swept)"
            f" SELECT owner, max(changed), 0 FROM made GROUP BY owner"
            f" ON CONFLICT (owner) DO UPDATE SET last = greatest(feed.last, excluded.last)"
        )
        return first

    def numbers(self):
        """Numbers for new sessions that others make; gives the first."""
        first = self.next_session
        self.next_session += 10_000_000
        return first

    def settle(self):
        """Lets what was made become as it is in a database that has been there for a while."""
        self.ask("VACUUM ANALYZE")
        self.ask("CHECKPOINT")

    def pgbench(self, script, connections, seconds, first):
        """What the statements of an operation take by themselves, with sessions from `first` on."""
        log = self.postgres.folder / "pgbench"
        shutil.rmtree(log, ignore_errors=True)
        log.mkdir()
        values = {"i": 0, "clients": connections, "now": self.now, "owners": self.OWNERS}
        values |= {"first": first, "last": first + load.SESSIONS - 1}
        command = [BIN / "pgbench", "-n", "-M", "prepared", "-f", servers.BENCH / "pgbench" / script]
        command += ["-c", connections, "-j", min(connections, 2), "-T", seconds, "-l"]
        command += ["--log-prefix", log / "log", "-h", "127.0.0.1", "-p", self.postgres.port]
        command += ["-U", "chatkeep", *(f"-D{name}={value}" for name, value in values.items())]
        command = [str(word) for word in (*command, self.name)]
        cpu = self.postgres.cpu_seconds()
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        cpu = self.postgres.cpu_seconds() - cpu
        times = [int(line.split()[2]) for file in log.iterdir() for line in file.open()]
        cuts = statistics.quantiles(times, n=100)
        return load.Run(
            requests=len(times),
            rate=float(re.search(r"tps = ([\d.]+)", done.stdout)[1]),
            p50=cuts[49],
            p99=cuts[98],
            cpu=cpu / len(times) * 1e6,
        )


def token(name):
    """The text of a token with that identifier, as the server would make it."""
    text = f"ck_pat_{name}{hashlib.sha256(name.encode()).hexdigest()[:43]}"
    number, check = zlib.crc32(text.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        check = BASE62[digit] + check
    return text + check
