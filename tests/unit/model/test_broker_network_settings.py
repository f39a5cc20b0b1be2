import pytest

from service.model.broker_settings import BROKER_SETTINGS
from service.model.config_definition import InvalidConfigError


@pytest.mark.parametrize(
    ("name", "text", "advice"),
    [
        ("listeners", "", r"write NAME://host:port"),
        ("listeners", "localhost:9092", r"write NAME://host:port"),
        ("listeners", "A://a:1,a://b:2", "give each listener a name of its own"),
        ("advertised.listeners", "A://a:1,", r"listeners=.*write"),
        ("listener.security.protocol.map", "PLAINTEXT", "write NAME:PROTOCOL"),
        ("listener.security.protocol.map", "A B:PLAINTEXT", "write NAME:PROTOCOL"),
        ("listener.security.protocol.map", "A:SSL", r"SSL is not offered yet; write A:PLAINTEXT"),
        ("listener.security.protocol.map", "A:SASL_SSL", "SASL_SSL is not offered yet"),
        ("admin.port", "65536", "from 0 to 65535"),
        ("broker.id", "-1", "from 0 to"),
    ],
)
def test_what_cannot_be_is_refused_with_advice(name: str, text: str, advice: str) -> None:
    with pytest.raises(InvalidConfigError, match=advice):
        BROKER_SETTINGS[name].parse(text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("listeners", "PLAINTEXT://127.0.0.1:9092,INTERNAL://:19092"),
        ("listeners", "PLAINTEXT://[::1]:0"),
        ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT, INTERNAL:plaintext"),
    ],
)
def test_the_syntax_of_kafka_is_taken(name: str, text: str) -> None:
    BROKER_SETTINGS[name].parse(text)
