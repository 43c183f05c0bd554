"""The load: what is asked of a server, and how fast it answers."""

import http.client
import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

SESSIONS = 10_000
SESSION = "/api/v1/chat/{id}"
LIST = "/api/v1/chat?limit=20"
NEW = ("POST", "/api/v1/chat", '{"name":"My Chat","type":"text"}')

OPERATIONS = {
    "get": ("GET", SESSION, ""),
    "list": ("GET", LIST, ""),
    "update": ("PATCH", SESSION, '{"name":"Renamed"}'),
    "create": NEW,
    "delete": ("DELETE", SESSION, ""),
}


@dataclass
class Run:
    """What one run of an operation came to; times in microseconds."""

    requests: int
    rate: float
    p50: float
    p99: float
    cpu: float


def need_wrk():
    if shutil.which("wrk"):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise SystemExit("wrk is missing; install it, on Debian with: apt-get install wrk")
    subprocess.run(["apt-get", "install", "-y", "wrk"], check=True, stdout=subprocess.DEVNULL)


def headers(server):
    return {"Authorization": f"Bearer {server.token}", "Content-Type": "application/json"}


def fetch(server, path):
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("GET", path, headers=headers(server))
    return connection.getresponse().read()


def seed(server, sessions=SESSIONS):
    """Makes the first sessions. From many clients at once, so that a commit can hold many."""
    clients = 25

    def client(number):
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        method, path, body = NEW
        for _ in range(number, sessions, clients):
            connection.request(method, path, body, headers(server))
            response = connection.getresponse()
            response.read()
            if response.status != 201:
                raise SystemExit(f"{server.name} answered {response.status} to a new session")

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(client, range(clients)))
    server.last = sessions
    server.first_spare = sessions + 1


def run(server, operation, connections, seconds, tokens=None):
    """Asks with the server's token, or with those of a file, which take turns by the session."""
    method, path, body = OPERATIONS[operation]
    each = operation == "delete"
    order = ("each", server.first_spare, server.last) if each else ("any", server.first, server.first + SESSIONS - 1)
    threads = min(connections, 2)
    command = ["wrk", "-t", threads, "-c", connections, "-d", seconds, "--timeout", 10]
    command += ["-s", Path(__file__).with_name("requests.lua")]
    for name, value in headers(server).items():
        command += ["-H", f"{name}: {value}"]
    command += [f"http://127.0.0.1:{server.port}", "--", method, path, body, *order, threads]
    command += [tokens] if tokens else []

    cpu = server.cpu_seconds()
    done = subprocess.run(
        [str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True
    )
    cpu = server.cpu_seconds() - cpu
    result = json.loads(done.stdout.splitlines()[-1])
    if result["failed"]:
        raise SystemExit(f"{server.name}: {operation}: {result['failed']} requests failed")

    requests = result["requests"]
    if operation == "create":
        # A lower bound: requests that were cut off at the end may have been done as well.
        server.last += requests
    if each:
        server.first_spare = result["next_id"]
    return Run(
        requests=requests,
        rate=requests / result["us"] * 1e6,
        p50=result["p50_us"],
        p99=result["p99_us"],
        cpu=cpu / requests * 1e6,
    )


def stock(server, sessions):
    """Makes sure that there are sessions to delete."""
    while server.last - server.first_spare < sessions:
        run(server, "create", 32, 1)
