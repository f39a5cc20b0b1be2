"""Transactions are not there yet: each client is told so at once, and stops."""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import TransactionalIdAuthorizationFailed
from confluent_kafka import KafkaError, KafkaException, Producer
from kafka import KafkaProducer
from kafka.errors import TransactionalIdAuthorizationFailedError

from everlog.testing import RunningServer

SECONDS_MAX = 15
"""Half of what the most impatient client gives a coordinator to appear."""


def test_librdkafka_gets_a_fatal_error(everlog_server: RunningServer) -> None:
    producer = Producer({"bootstrap.servers": everlog_server.bootstrap, "transactional.id": "t"})
    with pytest.raises(KafkaException) as refused:
        producer.init_transactions(SECONDS_MAX)
    error = refused.value.args[0]
    assert error.code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    assert error.fatal()
    assert not error.retriable()


def test_kafka_python_gets_an_error_of_its_own(everlog_server: RunningServer) -> None:
    producer = KafkaProducer(
        bootstrap_servers=everlog_server.bootstrap,
        transactional_id="t",
        max_block_ms=SECONDS_MAX * 1000,
    )
    with pytest.raises(TransactionalIdAuthorizationFailedError):
        producer.init_transactions()
    producer.close(timeout=0)


async def test_aiokafka_gets_an_error_of_its_own(everlog_server: RunningServer) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=everlog_server.bootstrap, transactional_id="t")
    with pytest.raises(TransactionalIdAuthorizationFailed):
        async with asyncio.timeout(SECONDS_MAX):
            await producer.start()
    await producer.stop()
