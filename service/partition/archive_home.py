"""Where the archive is: nothing is uploaded, read or released until the store has proved to be it.

The store says who it is in ``cluster.json``, the metadata tree who it should be in ``/archive``. A
cluster takes the first store that it meets. Later a store that has another id, or none, is never
used: what it does not hold looks lost, and what is sent there is.

A restore takes the store: it puts an owner beside ``cluster.json``, whose id then counts. Who had
the store before finds that out at its start, every now and then, and before each deletion.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import structlog

from everlog.format.cluster_marker import ClusterMarker, encode_marker
from everlog.format.meta_keys import OwnerKey
from everlog.format.object_keys import ClusterKey
from everlog.model.clock import IdSource
from everlog.model.errors import EverlogError, RejectedError
from everlog.model.ids import id_text
from everlog.stores.errors import (
    ObjectExistsError,
    ObjectMissingError,
    StoreUnavailableError,
    not_shown_yet,
)
from everlog.stores.object_key import ObjectKey, object_key
from everlog.stores.object_store import ObjectStore
from service.coordination.archive_record import (
    ArchiveRecord,
    create_archive_record,
    move_archive_record,
    read_archive_record,
)
from service.coordination.identity import StartRefusedError
from service.coordination.metadata_store import MetadataStore
from service.partition.tier_pointers import any_committed_root
from service.tiering.store_owner import newest_owner, read_marker, read_owner

ASK_SECONDS_MAX = 20.0
"""A start that has to ask the store waits so long for its answer."""

WAIT_SECONDS_MAX = 10.0
"""A call waits so long for the first answer of the store before it fails."""

RETRY_SECONDS = 5.0
"""Between two looks at a store that does not answer, or is not ours."""

CONFIRM_SECONDS = 60.0
"""Between two looks at whether the store has been taken by a restore."""

_log = structlog.get_logger(__name__)


class OtherStoreError(RejectedError):
    """The store that was given is not the one that holds the archive."""


class StoreLostError(OtherStoreError):
    """The store holds the archive, and a restore has given it to another data directory."""


class ArchiveHome:
    """Tells whether the store at hand holds the archive of this cluster.

    Args:
        url: Of the store at hand, absolute.
        store: That store; its calls give up soon.
        make_place: Makes the place of a new store, or raises `StartRefusedError`.

    Attributes:
        problem: What was wrong when the store was last asked; None when nothing was, or it was
            not asked yet.
        is_elsewhere: Whether the store has answered, and is not the archive's.
        owner: Number of the restore that this cluster is from; 0 for the store's first cluster.
        restored_ms: When that was; 0 if it never was.
    """

    def __init__(
        self,
        *,
        url: str,
        cluster_id: str,
        metadata: MetadataStore,
        store: ObjectStore,
        ids: IdSource,
        make_place: Callable[[], None] = lambda: None,
        retry_seconds: float = RETRY_SECONDS,
        confirm_seconds: float = CONFIRM_SECONDS,
    ) -> None:
        self.problem: str | None = None
        self.is_elsewhere = False
        self.owner = 0
        self.restored_ms = 0
        self._url = url
        self._cluster_id = cluster_id
        self._metadata = metadata
        self._store = store
        self._ids = ids
        self._make_place = make_place
        self._retry_seconds = retry_seconds
        self._confirm_seconds = confirm_seconds
        self._owner_key: OwnerKey | None = None
        self._marker_key = object_key(ClusterKey(cluster_id=cluster_id).text)
        self._known = asyncio.Event()
        self._tried = asyncio.Event()

    @property
    def complaint(self) -> str | None:
        """Why the store cannot be used now; None when it can."""
        return None if self.is_known else self.problem or "the store has not answered yet"

    @property
    def is_known(self) -> bool:
        """Whether the store has proved to be the archive's."""
        return self._known.is_set()

    async def settle(self) -> None:
        """Decide whether to start with this store; asks it only if it is not where it was.

        Raises:
            StartRefusedError: The archive is in another store, or it may be; what to do is said.
        """
        found = await read_archive_record(self._metadata)
        if found is not None:
            record, _ = found
            if record.url != self._url:
                await self._settle_moved(record)
        elif await any_committed_root(self._metadata, self._cluster_id) is not None:
            await self._settle_unrecorded()
        else:
            self._make_place()

    async def run(self) -> None:
        """Ask the store who it is until it has proved to be the archive's."""
        while not self.is_known:
            try:
                await self._identify()
            except EverlogError as error:
                self._note(error)
                await asyncio.sleep(self._retry_seconds)

    async def keep(self) -> None:
        """Ask until the store is known, and go on asking whether it still is, until cancelled."""
        pause = self._confirm_seconds
        while True:
            await self.run()
            await asyncio.sleep(pause)
            try:
                await self.confirm()
                pause = self._confirm_seconds
            except EverlogError:
                # A store that is away is still ours, but may come back with another owner.
                pause = self._retry_seconds

    async def confirm(self) -> None:
        """Make sure that no restore has taken the store since.

        Raises:
            StoreLostError: One has; from now on the store is not used any more.
            StoreUnavailableError: The store did not answer.
        """
        if self.is_known:
            newest = await newest_owner(self._store, self._cluster_id)
            if newest != self._owner_key:
                self._known.clear()
                error = await self._lost(newest)
                self._note(error)
                raise error

    async def admit(self, operation: str, key: str) -> None:
        """Return once the store may be used.

        Raises:
            StoreUnavailableError: It may not, or it has not answered.
        """
        if self.is_known:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(WAIT_SECONDS_MAX):
                await self._tried.wait()
        if self.complaint is not None:
            raise StoreUnavailableError(operation, key, self.complaint)

    async def _settle_moved(self, record: ArchiveRecord) -> None:
        try:
            async with asyncio.timeout(ASK_SECONDS_MAX):
                await self._identify()
        except StoreLostError as error:
            raise StartRefusedError(str(error)) from error
        except (EverlogError, TimeoutError) as error:
            why = str(error) if isinstance(error, EverlogError) else "it does not answer"
            raise StartRefusedError(
                f"the archive of this directory is in {record.url}, not in {self._url} ({why}): "
                f"start with --store '{record.url}' (or store.url); if it has moved, give the URL "
                f"of the whole copy, {self._marker_key} included"
            ) from error

    async def _settle_unrecorded(self) -> None:
        """Take the store of a cluster that is older than `ArchiveRecord`, unless it is another."""
        try:
            async with asyncio.timeout(ASK_SECONDS_MAX):
                await self._identify()
        except StoreLostError as error:
            raise StartRefusedError(str(error)) from error
        except OtherStoreError as error:
            raise StartRefusedError(
                f"{error}: start with the --store (or store.url) of the last start"
            ) from error
        except (EverlogError, TimeoutError):
            return  # it is asked again in the background; until then it is not used

    async def _identify(self) -> None:
        """Ask once.

        Raises:
            OtherStoreError: The store has answered, and is not the archive's.
            EverlogError: It has not answered, or not like a store.
        """
        found = await read_archive_record(self._metadata)
        if found is None:
            await self._take()
        else:
            await self._recognize(*found)
        self.problem, self.is_elsewhere = None, False
        self._known.set()
        self._tried.set()

    async def _recognize(self, record: ArchiveRecord, version: int) -> None:
        newest = await newest_owner(self._store, self._cluster_id)
        if newest is None:
            await self._check_marker(record)
        else:
            owner = await read_owner(self._store, newest)
            if owner.store_id != record.store_id:
                raise await self._lost(newest)
            self.owner, self.restored_ms = owner.number, owner.created_ms
        self._owner_key = newest
        if record.url != self._url:
            moved = ArchiveRecord(store_id=record.store_id, url=self._url)
            await move_archive_record(self._metadata, moved, version)
            _log.info("archive_moved", from_url=record.url, to_url=self._url)

    async def _check_marker(self, record: ArchiveRecord) -> None:
        marker = await read_marker(self._store, self._cluster_id)
        if marker is None:
            raise OtherStoreError(
                f"{self._url} has no {self._marker_key}, so it is not the store of this archive, "
                "or not all of it is there"
            )
        if marker.store_id != record.store_id:
            raise OtherStoreError(
                f"{self._url} is store {marker.store_id}, the archive is in {record.store_id}"
            )

    async def _lost(self, newest: OwnerKey | None) -> OtherStoreError:
        if newest is None:
            return OtherStoreError(f"{self._url} has lost the object that tells who has it")
        owner = await read_owner(self._store, newest)
        when = datetime.fromtimestamp(owner.created_ms / 1000, UTC).isoformat(timespec="seconds")
        return StoreLostError(
            f"{self._url} was taken by a restore at {when} (meta/{self._cluster_id}/, owner "
            f"{owner.number}): this data directory must not write there any more; stop this broker "
            "and go on with the restored data directory, or restore again into a new one"
        )

    async def _take(self) -> None:
        """Make this store the archive's; a crash in between leaves a marker, which is then used."""
        newest = await newest_owner(self._store, self._cluster_id)
        if newest is not None:
            raise await self._lost(newest)
        root = await any_committed_root(self._metadata, self._cluster_id)
        if root is not None and not await self._holds(object_key(root.text)):
            raise OtherStoreError(f"{self._url} does not hold the archive of this directory")
        marker = await read_marker(self._store, self._cluster_id) or await self._create_marker()
        record = ArchiveRecord(store_id=marker.store_id, url=self._url)
        await create_archive_record(self._metadata, record)
        _log.info("archive_begun", store_id=marker.store_id, url=self._url)

    async def _holds(self, key: ObjectKey) -> bool:
        try:
            await self._store.head(key)
        except ObjectMissingError:
            return False
        return True

    async def _create_marker(self) -> ClusterMarker:
        marker = ClusterMarker(cluster_id=self._cluster_id, store_id=id_text(self._ids.uuid()))
        try:
            await self._store.create(self._marker_key, encode_marker(marker))
        except ObjectExistsError as error:
            # Another broker of the new cluster was first, or an earlier attempt of ours: only what
            # is stored may be recorded, or the store would be taken for another one ever after.
            stored = await read_marker(self._store, self._cluster_id)
            if stored is None:
                raise not_shown_yet("create", self._marker_key) from error
            return stored
        return marker

    def _note(self, error: EverlogError) -> None:
        """Say what is wrong, once for each thing that is."""
        is_new = self.problem != str(error)
        self.problem = str(error)
        self.is_elsewhere = isinstance(error, OtherStoreError)
        self._tried.set()
        if not is_new:
            return
        if isinstance(error, StoreLostError):
            advice = "nothing is archived, read from there, released or deleted any more"
            _log.error("store_lost_to_restore", reason=self.problem, advice=advice)
        elif self.is_elsewhere:
            advice = "nothing is archived or released; bring the store back, or start with its URL"
            _log.error("archive_elsewhere", reason=self.problem, advice=advice)
        else:
            advice = "nothing is archived until it answers; records stay on the disk"
            _log.warning("store_not_reached", url=self._url, reason=self.problem, advice=advice)
