"""What befalls a cluster: each a context that begins a fault, says what it did, and ends it.

How often they come, and for how long, is in `schedule.py`.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from random import Random

from tests.cluster.cluster import (
    ALL_BROKERS,
    CLIENTS,
    OFFSETS_TOPIC,
    SESSION_SECONDS,
    STORE,
    ZOOKEEPER,
    Cluster,
    broker_name,
)
from tests.cluster.damage import damage
from tests.cluster.weather import CUT, DRIP, SLOW, between, one_way, to_and_from
from tests.cluster.workload import TOPICS

STORE_SHARE = 0.3
"""Of requests to the store that fail while it is faulty."""

EXPIRY_SECONDS_MAX = SESSION_SECONDS + 10
ROLLING_SECONDS_MAX = 60

Act = Callable[[Cluster, Random], AbstractContextManager[str]]


def _some_broker(cluster: Cluster, rng: Random) -> tuple[int, str]:
    """Choose a broker by what it is: the controller, a coordinator, a leader, or anybody."""
    role = rng.choice(("leader", "leader", "controller", "coordinator", "broker"))
    number = None
    if role == "controller":
        number = cluster.view.controller()
    elif role == "coordinator":
        states = cluster.view.states(OFFSETS_TOPIC)
        number = rng.choice(list(states.values())).leader
    elif role == "leader":
        number = rng.choice(list(cluster.states(TOPICS).values())).leader
    if number is None:
        return rng.choice(cluster.brokers.numbers), "broker"
    return int(number), role


@contextmanager
def kill_one(cluster: Cluster, rng: Random) -> Iterator[str]:
    number, role = _some_broker(cluster, rng)
    cluster.brokers.kill(number)
    yield f"kill -9 of {number} ({role})"
    cluster.brokers.start(number)


@contextmanager
def kill_all(cluster: Cluster, rng: Random) -> Iterator[str]:
    for number in rng.sample(cluster.brokers.numbers, 3):
        cluster.brokers.kill(number)
    yield "kill -9 of all"
    for number in rng.sample(cluster.brokers.numbers, 3):
        cluster.brokers.start(number)


@contextmanager
def power_failure_of_one(cluster: Cluster, rng: Random) -> Iterator[str]:
    number, role = _some_broker(cluster, rng)
    cluster.brokers.kill(number)
    cut = cluster.brokers.cut_power(number, rng)
    yield f"power failure of {number} ({role}) {cut}"
    cluster.brokers.start(number)


def power_failure_of_all(*, is_told: bool = True) -> Act:
    """Return the nemesis; brokers that are not told trust what they find."""

    @contextmanager
    def act(cluster: Cluster, rng: Random) -> Iterator[str]:
        for number in cluster.brokers.numbers:
            cluster.brokers.kill(number)
        cuts = [
            str(cluster.brokers.cut_power(number, rng, is_told=is_told))
            for number in cluster.brokers.numbers
        ]
        yield f"power failure of all: {'; '.join(cuts)}"
        for number in rng.sample(cluster.brokers.numbers, 3):
            cluster.brokers.start(number)

    return act


@contextmanager
def restart_one_by_one(cluster: Cluster, rng: Random) -> Iterator[str]:
    order = rng.sample(cluster.brokers.numbers, 3)
    for number in order:
        cluster.brokers.stop(number)
        cluster.brokers.start(number)
        cluster.wait_in_sync(TOPICS, seconds_max=ROLLING_SECONDS_MAX)
    yield f"SIGTERM and start of {', '.join(map(str, order))}"


@contextmanager
def pause_one(cluster: Cluster, rng: Random) -> Iterator[str]:
    number, role = _some_broker(cluster, rng)
    with cluster.brokers.paused(number):
        yield f"pause of {number} ({role})"


@contextmanager
def isolate_one(cluster: Cluster, rng: Random) -> Iterator[str]:
    number, role = _some_broker(cluster, rng)
    with cluster.network.disturbed(to_and_from({broker_name(number)}), CUT):
        yield f"isolation of {number} ({role})"


@contextmanager
def cut_one_way(cluster: Cluster, rng: Random) -> Iterator[str]:
    one, other = rng.sample(cluster.brokers.numbers, 2)
    lines = one_way({broker_name(one)}, {broker_name(other)})
    with cluster.network.disturbed(lines, CUT):
        yield f"{one} is not heard by {other}"


@contextmanager
def cut_between_brokers(cluster: Cluster, rng: Random) -> Iterator[str]:
    """Leave each broker its clients and ZooKeeper: who is cut off may go on believing."""
    number, role = _some_broker(cluster, rng)
    others = {broker_name(each) for each in cluster.brokers.numbers if each != number}
    with cluster.network.disturbed(between({broker_name(number)}, others), CUT):
        yield f"{number} ({role}) is cut off from other brokers alone"


@contextmanager
def cut_clients_off(cluster: Cluster, rng: Random) -> Iterator[str]:
    number, role = _some_broker(cluster, rng)
    with cluster.network.disturbed(between({broker_name(number)}, {CLIENTS}), CUT):
        yield f"{number} ({role}) is cut off from clients alone"


@contextmanager
def cut_zookeeper_off(cluster: Cluster, rng: Random) -> Iterator[str]:
    number, role = _some_broker(cluster, rng)
    with cluster.network.disturbed(between({broker_name(number)}, {ZOOKEEPER}), CUT):
        yield f"{number} ({role}) is cut off from ZooKeeper alone"


@contextmanager
def cut_the_store_off(cluster: Cluster, rng: Random) -> Iterator[str]:
    with cluster.network.disturbed(between({ALL_BROKERS}, {STORE}), CUT):
        yield "the store is cut off"


@contextmanager
def break_lines(cluster: Cluster, rng: Random) -> Iterator[str]:
    number, role = _some_broker(cluster, rng)
    broken = cluster.network.break_lines(to_and_from({broker_name(number)}))
    yield f"{broken} lines of {number} ({role}) break in the middle of a frame"


@contextmanager
def slow_lines(cluster: Cluster, rng: Random) -> Iterator[str]:
    number, role = _some_broker(cluster, rng)
    weather = rng.choice((SLOW, DRIP))
    with cluster.network.disturbed(to_and_from({broker_name(number)}), weather):
        yield f"slow lines of {number} ({role}): {'drip' if weather is DRIP else 'late'}"


@contextmanager
def kill_a_zookeeper(cluster: Cluster, rng: Random) -> Iterator[str]:
    """Kill the leader of an ensemble, or the one server there is."""
    servers = cluster.zookeeper.servers
    leading = [each for each in servers if b"Mode: leader" in each.said(b"srvr")]
    server = leading[0] if leading else rng.choice(servers)
    server.kill()
    yield f"kill -9 of {'the leader of ' if leading else ''}ZooKeeper"
    server.start()
    server.wait()


@contextmanager
def zookeeper_away(cluster: Cluster, rng: Random) -> Iterator[str]:
    cluster.zookeeper.kill()
    yield "all of ZooKeeper is away"
    cluster.zookeeper.start()


@contextmanager
def expire_a_session(cluster: Cluster, rng: Random) -> Iterator[str]:
    number, role = _some_broker(cluster, rng)
    lines = between({broker_name(number)}, {ZOOKEEPER})
    with cluster.network.disturbed(lines, CUT):
        deadline = time.monotonic() + EXPIRY_SECONDS_MAX
        while number in cluster.view.registered() and time.monotonic() < deadline:
            time.sleep(0.1)
        yield f"the session of {number} ({role}) expires"


@contextmanager
def faulty_store(cluster: Cluster, rng: Random) -> Iterator[str]:
    cluster.plan.share, cluster.plan.is_on = STORE_SHARE, True
    before = sum(cluster.plan.injected.values())
    try:
        yield f"{STORE_SHARE:.0%} of requests to the store fail, after {before} before"
    finally:
        cluster.plan.is_on = False


@contextmanager
def damage_one(cluster: Cluster, rng: Random) -> Iterator[str]:
    """Damage a file, see what the broker makes of it, and then take that replica away.

    A broker does not remove what it finds damaged, and asks for somebody who does.
    """
    number, role = _some_broker(cluster, rng)
    cluster.brokers.kill(number)
    path = damage(cluster.brokers[number].data_dir, rng)
    cluster.brokers.start(number)
    yield f"damage on the disk of {number} ({role}): {path and path.name}"
    cluster.brokers.kill(number)
    if path is not None:
        shutil.rmtree(path.parent, ignore_errors=True)
    cluster.brokers.start(number)


@contextmanager
def wipe_one(cluster: Cluster, rng: Random) -> Iterator[str]:
    number, role = _some_broker(cluster, rng)
    cluster.brokers.kill(number)
    cluster.brokers.wipe(number)
    yield f"a new disk for {number} ({role})"
    cluster.brokers.start(number)


def both(one: Act, other: Act) -> Act:
    """Return two at once, the second in the middle of the first."""

    @contextmanager
    def act(cluster: Cluster, rng: Random) -> Iterator[str]:
        with ExitStack() as stack:
            first = stack.enter_context(one(cluster, rng))
            time.sleep(rng.uniform(0, 1))
            second = stack.enter_context(other(cluster, rng))
            yield f"{first}, and {second}"

    return act
