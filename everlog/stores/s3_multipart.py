"""Objects too large for one request: parts, one after the other, that become one object."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from crc32c import crc32c as crc32c_of
from urllib3.exceptions import HTTPError

from everlog.stores.body import COPY_BYTES, BodyPart, BodyReader, body_range, body_size
from everlog.stores.object_key import ObjectKey
from everlog.stores.s3_checksum import checksum_text
from everlog.stores.s3_errors import sending, translating


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """One part of an upload, with the checksum that it had before anything was sent."""

    number: int
    body: Sequence[BodyPart]
    crc32c: int


def create_in_parts(
    client: Any,
    target: Mapping[str, str],
    key: ObjectKey,
    parts: Sequence[BodyPart],
    *,
    crc32c: int,
    part_bytes: int,
    attributes: Mapping[str, Any],
    condition: Mapping[str, str],
    stop: threading.Event,
) -> dict[str, Any]:
    """Store an object by parts; return the answer of the store.

    An upload that fails is aborted, so that its parts are not kept (and paid for). A store that
    forgot the upload says so as `StoreUnavailableError`, and the next call begins a new one.
    """
    pieces = _pieces(key, parts, crc32c=crc32c, part_bytes=part_bytes, stop=stop)
    with translating("create", key):
        upload = client.create_multipart_upload(
            **target, **attributes, ChecksumAlgorithm="CRC32C", ChecksumType="FULL_OBJECT"
        )
    upload_target = {**target, "UploadId": upload["UploadId"]}
    with _aborted_on_error(client, upload_target):
        done = [_send(client, upload_target, key, piece, stop) for piece in pieces]
        with translating("create", key):
            # boto3 raises also when the store answers 200 with an error in the body.
            answer: dict[str, Any] = client.complete_multipart_upload(
                **upload_target,
                MultipartUpload={"Parts": done},
                ChecksumCRC32C=checksum_text(crc32c),
                ChecksumType="FULL_OBJECT",
                MpuObjectSize=body_size(parts),
                **condition,
            )
    return answer


def _pieces(
    key: ObjectKey,
    parts: Sequence[BodyPart],
    *,
    crc32c: int,
    part_bytes: int,
    stop: threading.Event,
) -> list[_Piece]:
    """Cut a body and read it once for the checksums, before any of it is sent."""
    pieces = []
    size = body_size(parts)
    with BodyReader(key, parts, crc32c=crc32c, stop=stop) as whole:
        for number, start in enumerate(range(0, size, part_bytes), start=1):
            length = min(part_bytes, size - start)
            pieces.append(
                _Piece(
                    number=number,
                    body=body_range(parts, start, length),
                    crc32c=_next_crc32c(whole, length),
                )
            )
    return pieces


def _next_crc32c(body: BodyReader, length: int) -> int:
    crc32c = 0
    while length:
        chunk = body.read(min(COPY_BYTES, length))
        crc32c = crc32c_of(chunk, crc32c)
        length -= len(chunk)
    return crc32c


def _send(
    client: Any,
    upload_target: Mapping[str, str],
    key: ObjectKey,
    piece: _Piece,
    stop: threading.Event,
) -> dict[str, Any]:
    checksum = checksum_text(piece.crc32c)
    with (
        BodyReader(key, piece.body, crc32c=piece.crc32c, stop=stop) as body,
        sending(key, body),
    ):
        answer = client.upload_part(
            **upload_target,
            PartNumber=piece.number,
            Body=body,
            ChecksumAlgorithm="CRC32C",
            ChecksumCRC32C=checksum,
        )
    return {"PartNumber": piece.number, "ETag": answer["ETag"], "ChecksumCRC32C": checksum}


@contextmanager
def _aborted_on_error(client: Any, upload_target: Mapping[str, str]) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        try:
            client.abort_multipart_upload(**upload_target)
        except (BotoCoreError, ClientError, HTTPError) as abort_error:
            error.add_note(
                f"Its upload {upload_target['UploadId']} was not aborted: {abort_error}. "
                "A lifecycle rule (AbortIncompleteMultipartUpload) removes what is left."
            )
        raise
