"""The same peers as clusters of three on this machine, with three replicas of each topic."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from typing_extensions import override

from bench.peers.everlog import Everlog
from bench.peers.kafka import CLUSTER_ID, Kafka
from bench.tool import output_of
from everlog.testing.ports import free_port

BROKERS = 3

# Written in full: the quorum of three is known from the start, so no node is the first.
_PROPERTIES = """\
process.roles=broker,controller
node.id={node}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
controller.quorum.voters={voters}
log.dirs={logs}
"""
_FORMAT_LIMIT_S = 60


class EverlogCluster(Everlog):
    """`everlog dev --brokers 3`: three brokers as in any cluster, on the tree of a fourth process.

    It takes the ports behind its own, too.
    """

    brokers = BROKERS

    @override
    def command(self, data_dir: Path, port: int, settings: Sequence[str]) -> Sequence[str]:
        program, word, *rest = super().command(data_dir, port, settings)
        return [program, word, "--brokers", str(BROKERS), *rest]


class KafkaCluster(Kafka):
    """Three KRaft nodes, each broker and controller."""

    brokers = BROKERS

    @override
    def format(self, data_dir: Path, port: int) -> None:
        controllers = [free_port() for _ in range(BROKERS)]
        voters = ",".join(
            f"{node}@127.0.0.1:{controller}" for node, controller in enumerate(controllers, 1)
        )
        for node, controller in enumerate(controllers, 1):
            home = self._home(data_dir, node)
            home.mkdir(parents=True, exist_ok=True)
            self.write_logging(home)
            places: Mapping[str, object] = {
                "node": node,
                "port": port + node - 1,
                "controller_port": controller,
                "voters": voters,
                "logs": home / "logs",
            }
            properties = home / "server.properties"
            properties.write_text(_PROPERTIES.format(**places))
            tool = [*self.java(home), "kafka.tools.StorageTool", "format"]
            cluster = ["--cluster-id", CLUSTER_ID, "--config", str(properties)]
            output_of([*tool, *cluster], limit_s=_FORMAT_LIMIT_S)

    @override
    def command(self, data_dir: Path, port: int, settings: Sequence[str]) -> Sequence[str]:
        nodes = [
            super(KafkaCluster, self).command(self._home(data_dir, node), port, settings)
            for node in range(1, BROKERS + 1)
        ]
        return [sys.executable, "-m", "bench.peers.trio", *map(json.dumps, nodes)]

    def _home(self, data_dir: Path, node: int) -> Path:
        return data_dir / f"node-{node}"
