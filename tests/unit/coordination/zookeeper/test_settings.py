import ast
from pathlib import Path

import pytest

from service.coordination.zookeeper.settings import Credentials, ZooKeeperAddress, ZooKeeperTls

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize(
    ("text", "servers", "root"),
    [
        ("zk", [("zk", 2181)], ""),
        ("zk:2182/", [("zk", 2182)], ""),
        ("a:1, b:2,c/x/y", [("a", 1), ("b", 2), ("c", 2181)], "/x/y"),
        ("[::1]:2181,[fe80::1]//x/", [("::1", 2181), ("fe80::1", 2181)], "/x"),
    ],
)
def test_an_address_is_read_as_kafka_reads_it(
    text: str, servers: list[tuple[str, int]], root: str
) -> None:
    address = ZooKeeperAddress.parse(text)
    assert list(address.servers) == servers
    assert address.root == root


def test_addresses_are_shown_as_they_are_written() -> None:
    assert ZooKeeperAddress.parse("[::1],zk:5/x").text == "[::1]:2181, zk:5"


def test_secrets_are_not_shown() -> None:
    hush = "hush"
    secrets = Credentials(user="ann", password=hush), ZooKeeperTls(key_password=hush)
    assert hush not in repr(secrets)
    assert "ann" in repr(secrets)


@pytest.mark.rule("REL-K11")
def test_kazoo_is_known_to_one_package_only() -> None:
    places = set()
    for path in (ROOT / "service").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            if any(name.split(".")[0] == "kazoo" for name in names):
                places.add(path.parent.relative_to(ROOT).as_posix())
    assert places == {"service/coordination/zookeeper"}
