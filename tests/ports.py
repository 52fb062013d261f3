"""Ports for programs that are told theirs before they begin to listen."""

import random
import socket
from contextlib import ExitStack

# Below those that systems hand out by themselves (Linux from 32768, others from 49152): one of these could become the near
# end of somebody's connection before the program has begun.
FROM, TO = 15_000, 32_000


def free_port(neighbours: int = 0) -> int:
    """A port that nobody listens on, nor on so many right behind it."""
    while True:
        port = random.SystemRandom().randrange(FROM, TO)
        with ExitStack() as held:
            try:
                for number in range(port, port + 1 + neighbours):
                    held.enter_context(socket.create_server(("127.0.0.1", number)))
            except OSError:
                continue
        return port
