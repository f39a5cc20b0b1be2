"""What a request does to the tree, and how it is answered. Nothing waits here.

The answer is made when the request takes effect, of the tree as it is then; it may be sent when
that is durable.
"""

import asyncio
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from service.coordination.embedded.server import TreeServer
from service.coordination.embedded.tree import Node, Target, Tree, WatchKind
from service.coordination.embedded.wire import jute, responses
from service.coordination.embedded.wire.codes import OF_NODE_ERRORS, ErrorCode, OpCode
from service.coordination.embedded.wire.requests import (
    OPEN_ACL,
    Nothing,
    Read,
    Refused,
    Write,
)
from service.coordination.metadata_store import (
    Create,
    InvalidPathError,
    NodeError,
    NoNodeError,
    Op,
    Result,
    Set,
    Stat,
    check_op,
    check_path,
)

_OPEN_ACL = jute.vector(
    [
        struct.pack(">i", permissions) + jute.string(scheme) + jute.string(name)
        for permissions, scheme, name in OPEN_ACL
    ]
)

Watch = Callable[[Target], None]
"""Registers a watch of whoever asks."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What to say once ``durable`` is done, and the newest transaction that it shows."""

    durable: asyncio.Future[None]
    zxid: int
    code: ErrorCode
    body: bytes = b""


def execute(
    server: TreeServer, request: Nothing | Refused | Read | Write, *, session: int, watch: Watch
) -> Answer:
    """Do what a session asks for.

    Raises:
        ConnectionLostError: The disk failed.
        SessionExpiredError: The server is closed.
    """
    code, body = ErrorCode.OK, b""
    try:
        match request:
            case Nothing():
                pass
            case Refused():
                code = request.code
            case Read():
                check_path(request.path)
                body = _read(server.tree, request, watch)
            case Write():
                return _write(server, request, session)
            case _:
                assert_never(request)
    except NodeError as error:
        code = OF_NODE_ERRORS[type(error)]
    except InvalidPathError:
        code = ErrorCode.BAD_ARGUMENTS
    return Answer(server.durable(), server.tree.zxid, code, body)


def _read(tree: Tree, request: Read, watch: Watch) -> bytes:
    path = request.path
    if request.kind is OpCode.SYNC:
        # All sessions see the same tree, so there is nothing to catch up with.
        return jute.string(path)
    node = tree.find(path)
    if request.watch and (node is not None or request.kind is OpCode.EXISTS):
        is_list = request.kind in (OpCode.GET_CHILDREN, OpCode.GET_CHILDREN2)
        watch((WatchKind.CHILDREN if is_list else WatchKind.DATA, path))
    if node is None:
        raise NoNodeError(path)
    match request.kind:
        case OpCode.GET_DATA:
            told = jute.buffer(node.data)
        case OpCode.GET_ACL:
            told = _OPEN_ACL
        case OpCode.GET_CHILDREN:
            return _names(tree, path)
        case OpCode.GET_CHILDREN2:
            told = _names(tree, path)
        case _:
            told = b""
    return told + _stat(tree, path, node)


def _write(server: TreeServer, request: Write, session: int) -> Answer:
    tree = server.tree
    for op in request.ops:
        check_op(op)
    try:
        applied, durable = server.begin(request.ops, session=session)
    except NodeError as error:
        if not request.is_multi:
            raise
        failed = tree.first_failing(request.ops, session=session)
        body = responses.multi_failed(
            count=len(request.ops), failed=failed, code=OF_NODE_ERRORS[type(error)]
        )
        return Answer(server.durable(), tree.zxid, ErrorCode.OK, body)
    zxid = applied.transaction.zxid
    bodies = [
        _result(tree, kind, op, result, zxid=zxid, session=session)
        for kind, op, result in zip(request.kinds, request.ops, applied.results, strict=True)
    ]
    if request.is_multi:
        body = responses.multi_done(zip(request.kinds, bodies, strict=True))
    else:
        [body] = bodies
    return Answer(durable, zxid, ErrorCode.OK, body)


def _result(tree: Tree, kind: OpCode, op: Op, result: Result, *, zxid: int, session: int) -> bytes:
    match op, result:
        case Create(), str():
            if kind is OpCode.CREATE:
                return jute.string(result)
            owner = session if op.ephemeral else None
            created = Stat(version=0, czxid=zxid, mzxid=zxid, ephemeral_owner=owner)
            return jute.string(result) + responses.stat(created, data_bytes=len(op.data))
        case Set(), Stat():
            node = tree.find(op.path)
            return responses.stat(
                result,
                data_bytes=len(op.data),
                children_made=0 if node is None else node.children_made,
                child_count=tree.child_count(op.path),
            )
        case _:
            return b""


def _stat(tree: Tree, path: str, node: Node) -> bytes:
    return responses.stat(
        node.stat(),
        data_bytes=len(node.data),
        children_made=node.children_made,
        child_count=tree.child_count(path),
    )


def _names(tree: Tree, path: str) -> bytes:
    return jute.vector([jute.string(name) for name in tree.children(path)])
