"""Which partition of ``__consumer_offsets`` a group lives in.

Every broker and every tool has to agree on it, so it is Kafka's own rule: the absolute value of
Java's ``String.hashCode``, modulo the number of partitions.
"""

import struct
from functools import lru_cache

from everlog.model.ids import TopicName

OFFSETS_TOPIC = TopicName("__consumer_offsets")

_INT32_MASK = 0xFFFF_FFFF
_INT32_SPAN = 2**32
_INT32_MIN = -(2**31)
_CACHED_GROUPS_MAX = 16_384


def group_partition(group_id: str, partitions: int) -> int:
    """Return the partition that holds everything about a group."""
    code = java_hash(group_id)
    # The one integer without an absolute value in 32 bits counts as 0 (Kafka's Utils.abs).
    return 0 if code == _INT32_MIN else abs(code) % partitions


@lru_cache(maxsize=_CACHED_GROUPS_MAX)
def java_hash(text: str) -> int:
    """Return ``text.hashCode()``; Java counts UTF-16 code units."""
    utf16 = text.encode("utf-16-le", "surrogatepass")
    code = 0
    for unit in struct.unpack(f"<{len(utf16) // 2}H", utf16):
        code = (31 * code + unit) & _INT32_MASK
    return code - _INT32_SPAN if code > _INT32_MASK // 2 else code
