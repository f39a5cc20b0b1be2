"""What clients are told, as frames (``zookeeper.jute``).

```
connected = version i32, timeout i32 (ms), session i64, password buffer, read-only bool
reply     = xid i32, zxid i64, error i32, and without an error, by the operation:
  create                   path
  create2                  path, stat
  set, exists              stat
  get                      data, stat
  children, children2      vector of names; vector of names, stat
  acl, sync                vector of acl, stat; path
  multi                    (operation i32, done bool, error i32, then as above)*, one with done
event     = -1 i32, -1 i64, 0 i32, kind i32, 3 i32 (connected), path
stat      = czxid i64, mzxid i64, ctime i64, mtime i64, version i32, cversion i32, aversion i32,
            owner i64, bytes i32, children i32, pzxid i64
```
"""

import struct
from collections.abc import Iterable

from service.coordination.embedded.tree import Change
from service.coordination.embedded.wire import jute
from service.coordination.embedded.wire.codes import MULTI_END, OF_CHANGES, ErrorCode, OpCode
from service.coordination.metadata_store import Stat

PASSWORD_BYTES = 16

_CONNECTED = struct.Struct(">iiq")
_REPLY = struct.Struct(">iqi")
_EVENT = struct.Struct(">iqiii")
_MULTI = struct.Struct(">iBi")
_STAT = struct.Struct(">qqqqiiiqiiq")
_STATE_CONNECTED = 3
_EVENT_XID = -1


def connected(*, session: int, timeout_ms: int, password: bytes) -> bytes:
    """Greet a session."""
    return jute.frame(_CONNECTED.pack(0, timeout_ms, session) + jute.buffer(password) + b"\0")


EXPIRED = connected(session=0, timeout_ms=0, password=bytes(PASSWORD_BYTES))
"""The session that was asked for is over, or the password is wrong."""


def reply(*, xid: int, zxid: int, code: ErrorCode, body: bytes = b"") -> bytes:
    """Answer a request; there is no ``body`` where there is an error."""
    return jute.frame(_REPLY.pack(xid, zxid, code) + body)


def event(path: str, change: Change) -> bytes:
    """Tell somebody who has watched."""
    kind = OF_CHANGES[change]
    return jute.frame(_EVENT.pack(_EVENT_XID, -1, 0, kind, _STATE_CONNECTED) + jute.string(path))


def multi_done(results: Iterable[tuple[OpCode, bytes]]) -> bytes:
    """Answer operations of which all were done."""
    parts = [_MULTI.pack(kind, 0, ErrorCode.OK) + body for kind, body in results]
    return b"".join(parts) + _MULTI.pack(MULTI_END, 1, MULTI_END)


def multi_failed(*, count: int, failed: int, code: ErrorCode) -> bytes:
    """Answer ``count`` operations of which number ``failed`` could not be done, so that none was.

    Those before would have been done, those behind it were not tried.
    """
    codes = [ErrorCode.OK] * failed + [code]
    codes += [ErrorCode.RUNTIME_INCONSISTENCY] * (count - len(codes))
    parts = [_MULTI.pack(MULTI_END, 0, each) + struct.pack(">i", each) for each in codes]
    return b"".join(parts) + _MULTI.pack(MULTI_END, 1, MULTI_END)


def stat(known: Stat, *, data_bytes: int, children_made: int = 0, child_count: int = 0) -> bytes:
    """Tell all that is known of a node.

    The tree keeps no times, no access lists, and no zxid of the last child: those are 0.
    """
    # ZooKeeper counts what came and what went; what came is known, and what is there.
    children_version = 2 * children_made - child_count
    return _STAT.pack(
        known.czxid,
        known.mzxid,
        0,
        0,
        known.version,
        children_version,
        0,
        known.ephemeral_owner or 0,
        data_bytes,
        child_count,
        0,
    )
