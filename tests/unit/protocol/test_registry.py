import subprocess
import sys

import pytest

from service.protocol.api import VERSIONS, ApiKey
from service.protocol.messages.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
)
from service.protocol.registry import message_classes


def test_every_served_api_has_its_two_classes() -> None:
    for key in VERSIONS:
        request, response = message_classes(key)
        assert request.API_KEY == response.API_KEY == key
        assert request.__name__.endswith("Request")
        assert response.__name__.endswith("Response")


def test_words_of_a_key_become_words_of_a_class() -> None:
    classes = message_classes(ApiKey.OFFSET_FOR_LEADER_EPOCH)
    assert classes == (OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse)


def test_an_api_that_is_not_served_has_no_classes() -> None:
    with pytest.raises(KeyError):
        message_classes(ApiKey.VOTE)


def test_messages_are_imported_when_they_are_used() -> None:
    code = (
        "import sys\n"
        "import service.protocol.codec as codec\n"
        "from service.protocol.api import ApiKey\n"
        "loaded = lambda: {m for m in sys.modules if m.startswith('service.protocol.messages.')}\n"
        "assert not loaded(), loaded()\n"
        "codec.message_classes(ApiKey.HEARTBEAT)\n"
        "assert loaded() == {'service.protocol.messages.heartbeat'}, loaded()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_protocol_stands_alone() -> None:
    code = (
        "import sys\n"
        "from service.protocol import api, codec\n"
        "for key in api.VERSIONS: codec.message_classes(key)\n"
        "others = {'asyncio', 'everlog', 'socket', 'threading'} & set(sys.modules)\n"
        "assert not others, others\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
