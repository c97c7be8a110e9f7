"""The server under load and under attack: alive, and every reply is a right one."""

import json
import os
import random
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.serving.conftest import asked
from tfhf.serving.configuration import ModelConfig
from tfhf.serving.server import Options, Server

pytestmark = pytest.mark.slow

SWAPS, MALFORMED, CLIENTS = 20, 10_000, 8
LARGE = 50 * 2**20


def test_versions_change_under_load(half_plus_two, tmp_path):
    """No request fails, new versions are live within three seconds, broken ones never are."""
    base = tmp_path / "m"
    half_plus_two(base / "1", added=1.0)
    server = Server([ModelConfig("m", base)], Options(rest_port=0, grpc_port=None))
    server.start()
    stop, wrong, counts = threading.Event(), [], [0] * CLIENTS
    live = {1.0}  # what the version that is served adds, and while it changes, the next one

    def client(number):
        while not stop.is_set():
            possible = set(live)
            found = asked(server.rest_port, "POST", "/v1/models/m:predict", {"instances": [0.0]})
            answer = found.json.get("predictions", [None])[0]
            if found.status != 200 or answer not in possible | live:
                wrong.append((found.status, found.json, possible | live))
                return
            counts[number] += 1

    try:
        with ThreadPoolExecutor(CLIENTS) as pool:
            clients = [pool.submit(client, number) for number in range(CLIENTS)]
            try:
                for version in range(2, SWAPS + 2):
                    aside = tmp_path / f"aside-{version}"
                    if version % 4 == 0:
                        aside.mkdir()
                        (aside / "saved_model.pb").write_bytes(os.urandom(1000))
                    else:
                        half_plus_two(aside, added=float(version))
                        live.add(float(version))
                    aside.rename(base / str(version))
                    wanted = "END" if version % 4 == 0 else "AVAILABLE"
                    seconds = seconds_until(server, version, wanted)
                    assert wanted == "END" or seconds < 3
                    if wanted == "AVAILABLE":
                        live.intersection_update({float(version)})
            finally:
                stop.set()
            for future in clients:
                future.result(60)
    finally:
        server.stop()
    assert wrong == []
    assert min(counts) > SWAPS


def seconds_until(server, version, state):
    """Asks for a version's state until it is the one, for at most 30 seconds."""
    start = time.monotonic()
    while time.monotonic() - start < 30:
        found = asked(server.rest_port, "GET", f"/v1/models/m/versions/{version}")
        if found.status == 200 and found.json["model_version_status"][0]["state"] == state:
            return time.monotonic() - start
    raise AssertionError(f"version {version} did not become {state}")


SEEDS = [
    b'{"instances": [1.0, 2.0]}',
    b'{"inputs": {"x": [[1.0], [2.0]]}}',
    b'{"signature_name": "classify", "examples": [{"x": 1.0}], "context": {"added": [1]}}',
    b'{"instances": [{"b64": "aGVsbG8="}, "\\ud83d\\ude00", NaN, -Infinity, null, true]}',
]


def mutated(rng):
    """A request's method, path and body, each of them likely to be wrong."""
    body = bytearray(rng.choice(SEEDS))
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(body) + 1)
        action = rng.randrange(4)
        if action == 0:
            del body[at : at + rng.randrange(1, 5)]
        elif action == 1:
            body[at:at] = rng.randbytes(rng.randrange(1, 4))
        elif action == 2:
            body[at:at] = rng.choice([b"[", b"{", b'"', b"]", b"}", b",", b":", b"\\", b"1e999"])
        else:
            body[at:at] = rng.choice(SEEDS)
    model = rng.choice(["m", "m", "texts", "pair", "types", "nothing"])
    verb = rng.choice(["predict", "predict", "classify", "regress", "explain"])
    path = f"/v1/models/{model}" + rng.choice(["", "/versions/1", "/labels/stable", "/versions/x"])
    return rng.choice(["POST"] * 8 + ["PUT", "DELETE"]), f"{path}:{verb}", bytes(body)


def test_malformed_requests(server):
    def client(seed):
        rng, statuses = random.Random(seed), set()
        for _ in range(MALFORMED // CLIENTS):
            method, path, body = mutated(rng)
            found = asked(server.rest_port, method, path, body)
            assert found.status in (200, 400, 404, 501), (method, path, body, found.body)
            assert found.status == 200 or list(found.json) == ["error"], (body, found.body)
            if found.status != 200:
                found.body.decode("utf-8")
            statuses.add(found.status)
        return statuses

    with ThreadPoolExecutor(CLIENTS) as pool:
        statuses = set().union(*pool.map(client, range(CLIENTS)))
    assert {200, 400, 404} <= statuses
    assert predicted(server)


def predicted(server):
    found = asked(server.rest_port, "POST", "/v1/models/m:predict", {"instances": [1.0]})
    return found.json == {"predictions": [2.5]}


def test_large_bodies(server):
    """50 MiB of numbers, of one string, of no JSON; others are answered meanwhile."""
    numbers = json.dumps({"instances": [1.0] * (LARGE // 5 - 10)}).encode()
    text = json.dumps({"instances": ["a" * (LARGE - 30)]}).encode()
    with ThreadPoolExecutor(1) as pool:
        for model, body, status in (
            ("m", numbers, 200),
            ("m", numbers[:-2] + b"x]}", 400),
            ("texts", text, 200),
            ("texts", text[:-4], 400),
            ("m", b"\xff" * LARGE, 400),
            ("m", b'{"instances":' + b"[" * (LARGE - 20), 400),
            ("m", b" " * (64 * 2**20 + 1), 413),
        ):
            path = f"/v1/models/{model}:predict"
            large = pool.submit(asked, server.rest_port, "POST", path, body)
            others = 0
            while not large.done() or not others:
                assert predicted(server)
                others += 1
            found = large.result()
            assert found.status == status, found.body[:200]
            assert found.json


def test_slow_clients(served_models):
    """Connections that say little or nothing do not keep others from being answered."""
    server = Server(
        [ModelConfig("m", served_models / "m")], Options(rest_port=0, grpc_port=None, timeout=2.0)
    )
    server.start()
    connections = []
    try:
        for number in range(200):
            connection = socket.create_connection(("127.0.0.1", server.rest_port), timeout=30)
            connections.append(connection)
            head = b"POST /v1/models/m:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
            connection.sendall([b"", b"POST /v1", head][number % 3])
        for _ in range(100):
            assert predicted(server)
        for connection in connections[2::3]:
            assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")
        assert predicted(server)
    finally:
        for connection in connections:
            connection.close()
        server.stop()
