"""Objects in which transactions were aborted, which no broker makes yet."""

from everlog.format.segment_object import BatchRow, SegmentBuilder
from everlog.format.segment_sections import AbortedTransaction
from everlog.records.batch import walk
from everlog.stores.object_key import object_key
from service.tiering.uploader import SealAndPut
from service.tiering.worker.channel import Fields
from service.tiering.worker.sealing import SealOrder
from service.tiering.worker.transfers import sealed_fields
from tests.contract.object_stores import FailingStore


def aborting(
    seal_and_put: SealAndPut, store: FailingStore, aborted: list[AbortedTransaction]
) -> SealAndPut:
    """Seal objects as if transactions had been aborted in them."""

    async def seal(order: SealOrder) -> Fields:
        fields = await seal_and_put(order)
        key = object_key(order.key.text)
        body = await store.read_all(key, size_max=64 << 20)
        builder = SegmentBuilder(order.key, created_ms=order.created_ms)
        data = body[: fields["data_bytes"]]
        rows = [
            BatchRow(
                position=position,
                length=header.size,
                base_offset=header.base_offset,
                next_offset=header.next_offset,
                leader_epoch=header.leader_epoch,
                base_timestamp=header.base_timestamp,
                max_timestamp=header.max_timestamp,
                records=header.record_count,
            )
            for position, header in walk(data)
        ]
        builder.feed(rows, data)
        sealed = builder.seal(lineage=order.lineage, aborted=aborted)
        await store.overwrite(key, data + sealed.tail)
        return sealed_fields(sealed)

    return seal
