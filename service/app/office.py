"""Puts together what a broker does as the controller, whenever it is that."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from service.coordination.asked_elections import LeaderElections
from service.coordination.cluster_image import ImageFollower
from service.coordination.controller import Controller
from service.coordination.elections import STRICT, ElectionRules
from service.coordination.leader_balance import LeaderBalance
from service.coordination.leadership import ElectionStats, RulesOf
from service.coordination.metadata_store import MetadataStore
from service.coordination.reassignments import Reassignments
from service.model.broker_config import BrokerConfig
from service.model.cluster import Broker, TopicImage
from service.model.config_definition import InvalidConfigError
from service.model.setting_type import Value
from service.model.topic_config import TopicConfig

Defaults = Callable[[], Mapping[str, Value]]


class Office:
    """The controller, and what has it elect leaders.

    Attributes:
        controller: Applies for the office.
        elections: Those that somebody asks for.
        reassignments: Moves replicas.
    """

    def __init__(
        self,
        config: BrokerConfig,
        broker: Broker,
        *,
        store: MetadataStore,
        images: ImageFollower,
        defaults: Defaults,
        stats: ElectionStats,
    ) -> None:
        rules_of = election_rules(defaults)
        self.controller = Controller(
            store=store, images=images, broker=broker, rules_of=rules_of, stats=stats
        )
        self.elections = LeaderElections(
            store=store,
            images=images,
            controller=self.controller,
            rules_of=rules_of,
            stats=stats,
        )
        self.reassignments = Reassignments(
            store=store,
            images=images,
            controller=self.controller,
            rules_of=rules_of,
            stats=stats,
        )
        self._is_balanced = config.auto_leader_rebalance_enable
        self._balance = LeaderBalance(
            images=images,
            controller=self.controller,
            elections=self.elections,
            interval_seconds=config.leader_imbalance_check_interval_seconds,
            percentage=config.leader_imbalance_per_broker_percentage,
        )

    def start(self, run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        """Begin to work."""
        run(self.controller.run())
        if self._is_balanced:
            run(self._balance.run())


def election_rules(defaults: Callable[[], Mapping[str, Value]]) -> RulesOf:
    """Return what tells the controller how the partitions of a topic are to be led."""

    def rules_of(topic: TopicImage) -> ElectionRules:
        try:
            config = TopicConfig.resolve(topic.config, defaults())
        except InvalidConfigError:
            # Its partitions are reported where they are opened; nobody is eligible beyond its ISR.
            return STRICT
        return ElectionRules(
            isr_min=config.min_insync_replicas, unclean=config.unclean_leader_election
        )

    return rules_of
