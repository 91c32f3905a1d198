"""The engine of many machines: a Dask scheduler and the workers that have joined it."""

import contextlib
import dataclasses
import functools
import importlib.util
import logging
import os
import pickle
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from experiments.engines import remote
from experiments.engines.work import Work
from experiments.machine import faults, interrupts, streams
from experiments.machine.workers import Lost

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT = 30.0  # seconds for the scheduler to answer
PATIENCE = 10.0  # seconds without any worker until that is said
GPU, MEMORY = "GPU", "MEMORY"  # what workers may declare; memory in bytes


@dataclasses.dataclass(frozen=True)
class Dask:
    """The workers of a scheduler, one call at a time in each of their processes.

    The scheduler gives the call of a worker that has died to another, and sends results to this
    process alone. Workers may come and go.

    Attributes:
      scheduler: its address, or the file in which it has written that.
      memory: bytes that a call takes of what workers declare as MEMORY, if any do.
    """

    scheduler: str
    memory: float | None = None
    sharing: int = 1
    elsewhere: bool = True

    def results(self, work: Work, calls: Sequence[tuple[Any, ...]]) -> Iterator[tuple[int, Any]]:
        """As every engine's."""
        with self._connected() as client:
            kept = client.submit(remote.kept, pickle.dumps(work), pure=False)
            submit = functools.partial(
                client.map, remote.run, work=kept, resources=self._needed(_declared(client, kept))
            )
            suspects: list[int] = []
            for number, answer in self._round(client, submit, dict(enumerate(calls))):
                if isinstance(answer, Lost):
                    suspects.append(number)
                else:
                    yield number, answer
            # One at a time: a task that only waits at a worker is lost too when that dies.
            for number in suspects:
                yield from self._round(client, submit, {number: calls[number]})

    def _round(
        self,
        client: "Client",
        submit: Callable[..., "list[Future[bytes]]"],
        calls: Mapping[int, tuple[Any, ...]],
    ) -> Iterator[tuple[int, Any]]:
        """Number of a call and what came of it, as they come."""
        from distributed import as_completed

        names = {f"widetheory-{uuid.uuid4()}": number for number in calls}
        client.subscribe_topic("all", lambda event: _tell_of_the_dead(event[1], names))
        finished = as_completed(submit([*map(pickle.dumps, calls.values())], key=list(names)))
        for future in finished:
            yield names[future.key], self._answer(future)
            future.release()  # what is referred to is kept by the cluster

    @contextlib.contextmanager
    def _connected(self) -> "Iterator[Client]":
        from distributed import Client

        # What happens to the cluster is told in lines of our own.
        for name in ("distributed", "distributed.client", "distributed.core", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        file = os.path.exists(self.scheduler)
        try:
            client = Client(
                None if file else self.scheduler,
                scheduler_file=self.scheduler if file else None,
                timeout=CONNECT,
            )
        except (OSError, ValueError) as error:
            why = f"no scheduler answers there ({faults.in_words(error)})"
            raise ValueError(f"--scheduler {self.scheduler}: {why}") from error
        try:
            yield client
        finally:
            with contextlib.suppress(Exception):  # where the scheduler is gone
                client.close(timeout=1)

    def _needed(self, declared: Sequence[Mapping[str, float]]) -> dict[str, float]:
        """What a call takes of what workers declare: one GPU, and its memory."""
        needed = {GPU: 1.0} if any(GPU in worker for worker in declared) else {}
        if self.memory is not None and any(MEMORY in worker for worker in declared):
            needed[MEMORY] = self.memory
        if declared and not any(
            all(worker.get(name, 0) >= amount for name, amount in needed.items())
            for worker in declared
        ):
            raise ValueError(
                f"--scheduler {self.scheduler}: no worker declares what a cell needs, {needed}; "
                f"they declare {', '.join(str(dict(worker)) for worker in declared)}"
            )
        return needed

    def _answer(self, future: "Future[bytes]") -> Any:
        from distributed.scheduler import KilledWorker

        try:
            answer = pickle.loads(future.result())
        except KilledWorker as error:
            times = error.allowed_failures + 1
            return Lost(
                f"{times} workers died over it, one after the other, the last at "
                f"{error.last_worker.address}; most likely for lack of memory"
            )
        except Exception as error:
            if future.status == "cancelled":
                raise faults.Explained(
                    f"the scheduler at {self.scheduler} is gone: {interrupts.words()}",
                    faults.REFUSED,
                ) from error
            why = f"workers of {self.scheduler} cannot compute: {faults.in_words(error)}"
            raise faults.Explained(why, faults.REFUSED) from error
        if isinstance(answer, faults.Explained):
            raise answer
        return answer


def check_installed() -> None:
    """ValueError where Dask is not."""
    if importlib.util.find_spec("distributed") is None:
        raise ValueError(
            "--engine dask needs Dask, which is in the extra cluster: widetheory[cluster]"
        )


def _declared(client: "Client", first: "Future[bytes]") -> list[Mapping[str, float]]:
    """The resources of each worker, once the first call was done by one; says that it waits."""
    from distributed import wait

    try:
        wait(first, timeout=PATIENCE)
    except TimeoutError:
        streams.say("the scheduler has no worker that is free yet; waiting for one")
        with contextlib.suppress(Exception):  # told by the calls that depend on it
            wait(first)
    return [worker["resources"] for worker in client.scheduler_info()["workers"].values()]


def _tell_of_the_dead(message: Mapping[str, Any], names: Mapping[str, int]) -> None:
    """Says that a worker has died over some of the calls."""
    if message.get("action") != "remove-worker" or message["expected"]:
        return
    if count := sum(key in names for key in message["processing-tasks"]):
        streams.say(
            f"the worker at {message['worker']} has died with "
            f"{'a task' if count == 1 else f'{count} tasks'}, to be tried again elsewhere"
        )
