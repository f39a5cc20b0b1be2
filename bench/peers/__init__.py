"""The servers that are set against each other."""

from bench.comparison import EVERLOG, KAFKA
from bench.peers.clusters import EverlogCluster, KafkaCluster
from bench.peers.everlog import Everlog
from bench.peers.kafka import Kafka
from bench.peers.peer import Flush, Peer

__all__ = [
    "EVERLOG",
    "KAFKA",
    "Everlog",
    "EverlogCluster",
    "Flush",
    "Kafka",
    "KafkaCluster",
    "Peer",
]
