"""What clients ask for, read from the content of frames (``zookeeper.jute``).

```
connect  = version i32, last zxid i64, timeout i32 (ms), session i64, password buffer, [bool]
request  = xid i32, operation i32, then by the operation:
  create, create2             path, data, vector of acl, flags i32
  delete, check               path, version i32
  set                         path, data, version i32
  exists, get, children(2)    path, watch bool
  acl, sync                   path
  auth                        type i32, scheme string, credentials buffer
  multi                       (operation i32, done bool, error i32, then as above)*, one with done
acl      = permissions i32, scheme string, id string
```
"""

from collections.abc import Callable
from dataclasses import dataclass

from service.coordination.embedded.wire.codes import ErrorCode, OpCode
from service.coordination.embedded.wire.jute import ProtocolError, Reader
from service.coordination.metadata_store import Check, Create, Delete, Op, Set

OPEN_ACL = [(31, "world", "anyone")]
"""The one access list there is: everybody may do everything."""

_QUESTIONS: dict[int, bool] = {
    OpCode.EXISTS: True,
    OpCode.GET_DATA: True,
    OpCode.GET_CHILDREN: True,
    OpCode.GET_CHILDREN2: True,
    OpCode.GET_ACL: False,
    OpCode.SYNC: False,
}
"""What is asked about one node, and whether a watch can be set with it."""

_EPHEMERAL, _SEQUENTIAL = 1, 2
_FLAGS_MAX = _EPHEMERAL | _SEQUENTIAL
"""Above are containers and nodes that expire."""


@dataclass(frozen=True, slots=True)
class Connect:
    """The first frame of a connection; ``session`` is 0 for a new one."""

    last_zxid: int
    timeout_ms: int
    session: int
    password: bytes


@dataclass(frozen=True, slots=True)
class Nothing:
    """A ping, or the credentials of a user: only the answer matters."""


@dataclass(frozen=True, slots=True)
class Close:
    """End the session."""


@dataclass(frozen=True, slots=True)
class Refused:
    """What cannot be done, whatever the tree holds."""

    code: ErrorCode


@dataclass(frozen=True, slots=True)
class Read:
    """A question about one node, and whether its asker wants to hear of changes."""

    kind: OpCode
    path: str
    watch: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """Operations that are done all or not at all; ``kinds`` says how each is answered."""

    kinds: tuple[OpCode, ...]
    ops: tuple[Op, ...]
    is_multi: bool


Request = Nothing | Close | Refused | Read | Write


class _RefusedError(Exception):
    def __init__(self, code: ErrorCode) -> None:
        super().__init__(code.name)
        self.code = code


def decode_connect(content: bytes) -> Connect:
    """Read the first frame.

    Raises:
        ProtocolError: It is none of ZooKeeper's.
    """
    reader = Reader(content)
    reader.int32()
    last_zxid, timeout_ms = reader.int64(), reader.int32()
    connect = Connect(last_zxid, timeout_ms, reader.int64(), reader.buffer())
    if not reader.is_at_end:
        reader.flag()  # whether a server without a quorum would do; not sent before 3.4
    reader.finish()
    return connect


def decode_request(content: bytes) -> tuple[int, Request]:
    """Read another frame, and return its xid too, which the answer repeats.

    Raises:
        ProtocolError: It is malformed.
    """
    reader = Reader(content)
    xid, number = reader.int32(), reader.int32()
    try:
        request = _decode(number, reader)
    except _RefusedError as error:
        # What follows may be anything.
        return xid, Refused(error.code)
    reader.finish()
    return xid, request


def _decode(number: int, reader: Reader) -> Request:
    match number:
        case OpCode.PING:
            return Nothing()
        case OpCode.CLOSE:
            return Close()
        case OpCode.AUTH:
            return _decode_auth(reader)
        case OpCode.MULTI:
            return _decode_multi(reader)
        case _ if number in _QUESTIONS:
            path = reader.string()
            return Read(OpCode(number), path, watch=_QUESTIONS[number] and reader.flag())
        case _:
            kind, op = _decode_op(number, reader)
            return Write((kind,), (op,), is_multi=False)


def _decode_auth(reader: Reader) -> Nothing:
    reader.int32()
    scheme = reader.string()
    reader.buffer()
    if scheme != "digest":
        raise _RefusedError(ErrorCode.AUTH_FAILED)
    # As ZooKeeper, which takes any password too. No access list can name the user.
    return Nothing()


def _decode_multi(reader: Reader) -> Write:
    found: list[tuple[OpCode, Op]] = []
    while True:
        number, is_end, _error = reader.int32(), reader.flag(), reader.int32()
        if is_end:
            kinds, ops = tuple(kind for kind, _ in found), tuple(op for _, op in found)
            return Write(kinds, ops, is_multi=True)
        found.append(_decode_op(number, reader))


def _decode_op(number: int, reader: Reader) -> tuple[OpCode, Op]:
    decoder = _DECODERS.get(number)
    if decoder is None:
        raise _RefusedError(ErrorCode.UNIMPLEMENTED)
    return OpCode(number), decoder(reader)


def _decode_create(reader: Reader) -> Create:
    path, data, acl = reader.string(), reader.buffer(), _decode_acl(reader)
    flags = reader.int32()
    if not 0 <= flags <= _FLAGS_MAX:
        raise _RefusedError(ErrorCode.UNIMPLEMENTED)
    if acl != OPEN_ACL:
        # To take it and let everybody in would be a lie.
        raise _RefusedError(ErrorCode.INVALID_ACL)
    return Create(path, data, bool(flags & _EPHEMERAL), bool(flags & _SEQUENTIAL))


def _decode_acl(reader: Reader) -> list[tuple[int, str, str]]:
    count = reader.int32()
    if count < -1:
        raise ProtocolError(f"a list of {count} elements")
    # A count that lies ends with the frame.
    return [(reader.int32(), reader.string(), reader.string()) for _ in range(count)]


_DECODERS: dict[int, Callable[[Reader], Op]] = {
    OpCode.CREATE: _decode_create,
    OpCode.CREATE2: _decode_create,
    OpCode.DELETE: lambda reader: Delete(reader.string(), reader.int32()),
    OpCode.SET_DATA: lambda reader: Set(reader.string(), reader.buffer(), reader.int32()),
    OpCode.CHECK: lambda reader: Check(reader.string(), reader.int32()),
}
