"""Starts the server and stops it without losing a request."""

import asyncio
import contextlib
import logging
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tfhf.console import say
from tfhf.errors import UserError
from tfhf.serving.configuration import Batching

THREADS = 64  # requests that are read, computed or written at the same time
STOPPING_SECONDS = 30  # for requests in flight
KEPT_SECONDS = 75  # a connection on which nothing is asked


@dataclass(frozen=True)
class Options:
    """How a server is reached and what it puts up with.

    Attributes:
        host: address it listens on.
        rest_port: of REST and the page; 0 takes any that is free.
        grpc_port: of gRPC; 0 takes any that is free, None is none.
        batching: a Batching; None: every request is computed alone.
        timeout: seconds until a request by REST is answered, and a client has sent it.
        max_body: bytes of a request.
        max_requests: at the same time, by REST and by gRPC; what comes then is refused.
        poll_seconds: how often the folders are looked at for new versions.
    """

    host: str = "127.0.0.1"
    rest_port: int = 8501
    grpc_port: int | None = 8500
    batching: Batching | None = field(default_factory=Batching)
    timeout: float = 30.0
    max_body: int = 64 * 2**20
    max_requests: int = 512
    poll_seconds: float = 1.0


class Server:
    """Serves models by REST and gRPC, in threads of this process.

    Args:
        configs: list of ModelConfig.
        options: Options.

    Attributes:
        models, batcher: what answers.
        rest_port, grpc_port: where, once it is started.
    """

    def __init__(self, configs, options=None):
        from tfhf.serving import batching, models, servables

        self.options = options or Options()
        self.models = models.Models(configs, servables.load, poll_seconds=self.options.poll_seconds)
        self.batcher = batching.Batcher(self.options.batching)
        self.rest_port = self.grpc_port = None
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="rest")
        self._rest = self._rest_thread = self._grpc = None

    def start(self):
        """Takes the ports, loads the models, and answers from then on.

        Raises:
            UserError: if a port is taken, or a model has no version that can be loaded.
        """
        with contextlib.ExitStack() as undo:
            undo.callback(self.stop)
            listener = undo.enter_context(self._listener())
            grpc_server = self._grpc_server()
            self.models.start()
            self._start_rest(listener)
            if grpc_server:
                grpc_server.start()
                self._grpc = grpc_server
            undo.pop_all()

    def stop(self):
        """Takes no more requests, answers those in flight, and unloads the models."""
        stopped = self._grpc.stop(STOPPING_SECONDS) if self._grpc else None
        if self._rest:
            self._rest.should_exit = True
            self._rest_thread.join()
        if stopped:
            stopped.wait()
        self._threads.shutdown()
        self.batcher.close()
        self.models.close()

    def _listener(self):
        options = self.options
        family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
        # Named by its protocol: asyncio sends small replies at once only on sockets that are TCP.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((options.host, options.rest_port))
        except OSError as error:
            listener.close()
            raise _taken("--port", options.host, options.rest_port, error.strerror) from error
        self.rest_port = listener.getsockname()[1]
        return listener

    def _start_rest(self, listener):
        import uvicorn

        from tfhf.serving.rest import Limits, Rest

        options = self.options
        limits = Limits(options.timeout, options.max_body, options.max_requests)
        application = Rest(self.models, self.batcher, limits, self._threads)
        config = uvicorn.Config(
            application,
            lifespan="off",
            ws="none",
            access_log=False,
            log_level="critical",
            server_header=False,
            timeout_keep_alive=KEPT_SECONDS,
            timeout_graceful_shutdown=STOPPING_SECONDS,
        )
        started = threading.Event()

        class Announced(uvicorn.Server):
            async def startup(self, sockets=None):
                await super().startup(sockets)
                started.set()

        self._rest = Announced(config)
        self._rest_thread = threading.Thread(
            target=lambda: asyncio.run(self._rest.serve([listener])), name="rest", daemon=True
        )
        self._rest_thread.start()
        started.wait()

    def _grpc_server(self):
        if self.options.grpc_port is None:
            return None
        import grpc

        from tfhf.serving import remote

        server = grpc.server(
            ThreadPoolExecutor(THREADS, thread_name_prefix="grpc"),
            maximum_concurrent_rpcs=self.options.max_requests,
            options=[
                ("grpc.max_receive_message_length", self.options.max_body),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),
            ],
        )
        remote.add(server, self.models, self.batcher, most_values=self.options.max_body)
        host, port = self.options.host, self.options.grpc_port
        try:
            self.grpc_port = server.add_insecure_port(_place(host, port))
        except RuntimeError as error:
            raise _taken("--grpc-port", host, port, "it cannot be listened on") from error
        return server


def _place(host, port):
    """Host and port as addresses have them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _taken(option, host, port, reason):
    return UserError(f"{option}: {host}:{port}: {reason}; name another port")


def serve(configs, options):
    """Serves until the process is asked to stop (SIGINT, SIGTERM), and then stops in order.

    Args:
        configs: list of ModelConfig.
        options: Options.

    Raises:
        UserError: as `Server.start`.
        KeyboardInterrupt, SystemExit: once it has stopped.
    """
    # The loader of TensorFlow Serving's kind of session calls itself deprecated, at every start.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    server = Server(configs, options)
    try:
        signal.signal(signal.SIGTERM, _terminated)
        server.start()
        address = f"http://{_place(options.host, server.rest_port)}"
        for config in configs:
            say(f"{address}/v1/models/{config.name}")
        if server.grpc_port:
            say(f"grpc://{_place(options.host, server.grpc_port)}")
        say(f"a page to try it: {address}/")
        threading.Event().wait()
    finally:
        server.stop()


def _terminated(number, frame):
    raise SystemExit(128 + number)
