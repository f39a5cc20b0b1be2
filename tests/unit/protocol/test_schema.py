from typing import Any

import pytest

from service.protocol.api import ApiKey
from service.protocol.errors import ProtocolError
from service.protocol.messages.metadata import MetadataRequest, MetadataRequestTopic
from service.protocol.messages.produce import (
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    TopicProduceData,
)
from service.protocol.primitives import ARRAY_ELEMENTS_MAX
from service.protocol.schema import Request, Response, Struct, reader, writer
from service.protocol.schema_fields import float64, int8, uint16, uint32
from tests.unit.protocol.strategies import encoded


class Numbers(Request, api=ApiKey.HEARTBEAT):
    """The wire types that no message of ours has yet."""

    unsigned: int = uint16()
    wide: int = uint32()
    real: float = float64(default=0.5)
    small: int = int8("2+", default=-1, tag=None)


class Empty(Struct):
    """No fields at all."""


def test_every_field_has_a_default() -> None:
    assert PartitionProduceResponse().log_start_offset == -1
    assert ProduceRequest().transactional_id is None
    assert MetadataRequest().allow_auto_topic_creation is True
    assert TopicProduceData().topic_id == bytes(16)
    assert isinstance(Empty(), Empty)


def test_arrays_that_are_not_given_are_not_shared() -> None:
    first, second = ProduceRequest(), ProduceRequest()
    first.topic_data.append(TopicProduceData())
    assert second.topic_data == []


def test_null_can_be_given_for_an_array() -> None:
    assert MetadataRequest(topics=None).topics is None


def test_fields_are_keywords_and_only_those_declared() -> None:
    untyped: Any = PartitionProduceData
    with pytest.raises(TypeError):
        untyped(1)
    with pytest.raises(TypeError):
        untyped(offset=1)
    with pytest.raises(AttributeError):
        untyped().offset = 1


def test_messages_compare_by_value_and_say_what_they_hold() -> None:
    assert MetadataRequestTopic(name="a") == MetadataRequestTopic(name="a")
    assert MetadataRequestTopic(name="a") != MetadataRequestTopic(name="b")
    assert MetadataRequestTopic() != TopicProduceData()
    assert repr(PartitionProduceData(index=1, records=None)) == (
        "PartitionProduceData(index=1, records=None)"
    )
    untyped: Any = MetadataRequestTopic()
    with pytest.raises(TypeError):
        hash(untyped)


def test_readers_and_writers_are_compiled_once() -> None:
    assert reader(ProduceRequest, 9) is reader(ProduceRequest, 9)
    assert writer(ProduceRequest, 9) is writer(ProduceRequest, 9)
    assert reader(ProduceRequest, 9) is not reader(ProduceRequest, 8)


@pytest.mark.parametrize("version", [-1, 2, 14])
def test_versions_that_do_not_exist_have_no_reader_and_no_writer(version: int) -> None:
    with pytest.raises(ProtocolError, match="no version"):
        reader(ProduceRequest, version)
    with pytest.raises(ProtocolError, match="no version"):
        writer(ProduceRequest, version)


def test_numbers_of_every_width_are_big_endian() -> None:
    value = Numbers(unsigned=0xFFFE, wide=0xFFFFFFFE, real=-2.0, small=-3)
    assert encoded(value, 3).hex() == "fffe" + "fffffffe" + "c000000000000000" + "fd"
    assert reader(Numbers, 3)(encoded(value, 3), 0) == (value, 15)
    assert reader(Numbers, 1)(encoded(value, 1), 0)[0].small == -1


def test_requests_are_bounded_in_elements_and_responses_by_their_size_alone() -> None:
    assert Request.ELEMENTS_MAX == ARRAY_ELEMENTS_MAX
    assert Response.ELEMENTS_MAX > 2**40
