"""The local server under load: throughput with and without batching, overhead, memory.

    python benchmarks/serving.py EXPORT TEXTS

EXPORT is a folder of versions whose `serving_default` takes `text` and gives `score`; TEXTS a file
of one text per line. Clients of their own connections ask for a minute each way, one text at a
time, and every reply is compared with what the version itself answers. The last line on stdout is
one JSON object.
"""

import argparse
import contextlib
import http.client
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ALONE = 200  # calls from which overhead is measured
WARM = 5.0  # seconds of load before memory is looked at


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("export", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=60.0)
    chosen = parser.parse_args()
    texts = list(dict.fromkeys(chosen.texts.read_text(encoding="utf-8").splitlines()))[:500]
    direct = answering(chosen.export)
    expected = {text: direct(text) for text in texts}
    found = {}
    for name, batching in (("batching", []), ("no_batching", ["--batching", "off"])):
        with served(chosen.export, batching) as (port, process):
            alone = alone_and_directly(port, chosen.export.name, texts, expected, direct)
            found[name] = alone | under_load(port, process, chosen, texts, expected)
    rates = [found[name]["requests_per_second"] for name in ("batching", "no_batching")]
    print(json.dumps(found | {"ratio": round(rates[0] / rates[1], 2)}))


def answering(export):
    """The newest version as a function of one text: its score."""
    import numpy as np

    from tfhf.exports import versions
    from tfhf.serving import servables

    version, folder = max(versions.numbered(export).items())
    servable = servables.load(export.name, version, folder)
    signature = servable.signatures["serving_default"]
    feed = signature.inputs["text"].name
    fetches = tuple(sorted({tensor.name for tensor in signature.outputs.values()}))
    place = fetches.index(signature.outputs["score"].name)

    def answer(text):
        return float(servable.run({feed: np.array([text.encode()], object)}, fetches)[place][0])

    return answer


@contextlib.contextmanager
def served(export, arguments):
    """The command itself, on a free port; gives the port and the process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tfhf", "serve", str(export), "--server", "tfhf"]
    process = subprocess.Popen([*command, "--port", str(port), "--grpc-port", "0", *arguments])
    try:
        while process.poll() is None:
            with contextlib.suppress(OSError):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                connection.request("GET", f"/v1/models/{export.name}")
                if connection.getresponse().status == 200:
                    break
            time.sleep(0.2)
        yield port, process
    finally:
        process.terminate()
        process.wait()


class Client:
    """One connection that is kept."""

    def __init__(self, port, name):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.path = f"/v1/models/{name}:predict"

    def ask(self, text, expected):
        """Milliseconds until the reply, which must be right."""
        body = json.dumps({"instances": [text]})
        start = time.perf_counter()
        self.connection.request("POST", self.path, body)
        reply = self.connection.getresponse()
        content = reply.read()
        seconds = time.perf_counter() - start
        (prediction,) = json.loads(content)["predictions"]
        assert reply.status == 200
        assert abs(prediction["score"] - expected) < 1e-4, (text, prediction, expected)
        return 1000 * seconds


def alone_and_directly(port, name, texts, expected, direct):
    """Median milliseconds of a request while nobody else asks, and of the same by hand.

    They take turns, so that whatever else the machine does slows both.
    """
    client, requests, calls = Client(port, name), [], []
    for text in itertools.islice(itertools.cycle(texts), 2 * ALONE):
        requests.append(client.ask(text, expected[text]))
        start = time.perf_counter()
        direct(text)
        calls.append(1000 * (time.perf_counter() - start))
    found = [statistics.median(times[ALONE:]) for times in (requests, calls)]
    return {"alone_ms": round(found[0], 2), "overhead_ms": round(found[0] - found[1], 2)}


def under_load(port, process, chosen, texts, expected):
    """What some clients at the same time get."""
    start = time.monotonic()
    end = start + chosen.seconds

    def load(number):
        client, times = Client(port, chosen.export.name), []
        for text in itertools.islice(itertools.cycle(texts), number * 37, None):
            if time.monotonic() > end:
                return times
            times.append(client.ask(text, expected[text]))

    moments = [WARM, chosen.seconds / 3, chosen.seconds * 2 / 3]
    memory = []
    timers = [
        threading.Timer(moment, lambda: memory.append(resident_mib(process.pid)))
        for moment in moments
    ]
    for timer in timers:
        timer.start()
    with ThreadPoolExecutor(chosen.clients) as pool:
        times = sorted(itertools.chain.from_iterable(pool.map(load, range(chosen.clients))))
    for timer in timers:
        timer.join()
    return {
        "requests": len(times),
        "requests_per_second": round(len(times) / (time.monotonic() - start), 1),
        "p50_ms": round(times[len(times) // 2], 1),
        "p99_ms": round(times[len(times) * 99 // 100], 1),
        "memory_mib": [*memory, resident_mib(process.pid)],
    }


def resident_mib(pid):
    """Memory of a process that is its own: resident, not mapped from files."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) // 1024
    raise RuntimeError(f"process {pid} has ended")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
