"""ZooKeeper's commands of four letters: sent in place of a first frame, answered with text."""

from service.coordination.embedded.tree import Tree

WORDS = (b"ruok", b"srvr")
"""Read as the length of a frame each is above a gigabyte, so no frame begins with one."""


def answer(word: bytes, *, tree: Tree, connections: int) -> bytes:
    """Return what to say to one of the `WORDS`."""
    if word == b"ruok":
        return b"imok"
    lines = [
        "Everlog's metadata tree, over the wire of ZooKeeper",
        f"Connections: {connections}",
        f"Zxid: {tree.zxid:#x}",
        "Mode: standalone",
        f"Node count: {tree.node_count}",
    ]
    return "".join(f"{line}\n" for line in lines).encode()
