"""ReadDamage: archived objects that readers have found damaged or missing, until they are sound.

Clients are told to ask again, and do so for ever, so each object is said once, when it is first
met. What is known here is only what somebody has read, and changes nothing: the next read looks
again.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from everlog.format.errors import CorruptObjectError, UnsupportedFormatError
from everlog.model.clock import Clock
from everlog.model.errors import CorruptionError, EverlogError
from everlog.model.offsets import OffsetRange
from service.tiering.object_verification import Fault

OBJECTS_MAX = 1000
"""Objects that are remembered; what is beyond is only counted."""

FORGET_SECONDS = 86_400.0
"""What nobody has met for so long may have been retired, or repaired without anybody reading it."""

WHOLE = -1
"""The part of an object that all its readers need: its end, or all of it."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Damaged:
    """What is known of one object.

    Attributes:
        parts: Numbers of chunks, or `WHOLE`, that were met and not read well since.
        met_at: Monotonic seconds of the last time.
    """

    parts: set[int]
    met_at: float


class ReadDamage:
    """Remembers them, for all partitions of a broker.

    Attributes:
        times: How often a read has met one, ever.
    """

    def __init__(self, *, clock: Clock) -> None:
        self.times = 0
        self._clock = clock
        self._objects: dict[str, _Damaged] = {}

    @property
    def names(self) -> Sequence[str]:
        """The keys of objects that cannot be read, as far as is known, the newest last."""
        self._forget_old()
        return list(self._objects)

    def __contains__(self, name: str) -> bool:
        return name in self._objects

    @contextmanager
    def reading(
        self,
        name: str,
        *,
        fault: Fault,
        offsets: OffsetRange | None = None,
        parts: Iterable[int] = (WHOLE,),
    ) -> Iterator[None]:
        """Take note of how a read from the store ends; what it raises is raised.

        Args:
            name: Key of the object.
            fault: What it is if it is damaged.
            offsets: What it holds.
            parts: What is read of it.
        """
        try:
            yield
        except (CorruptionError, UnsupportedFormatError) as error:
            self.note(name, error, fault=fault, offsets=offsets, parts=parts)
            raise
        self._note_sound(name, parts)

    def note(
        self,
        name: str,
        error: EverlogError,
        *,
        fault: Fault,
        offsets: OffsetRange | None = None,
        parts: Iterable[int] = (WHOLE,),
    ) -> None:
        """Take note of an object that cannot be read, and say so if that is new."""
        self.times += 1
        self._forget_old()
        known = self._objects.get(name)
        if known is not None:
            known.parts.update(parts)
            known.met_at = self._clock.monotonic()
            return
        if len(self._objects) >= OBJECTS_MAX:
            return
        self._objects[name] = _Damaged(set(parts), self._clock.monotonic())
        fault = Fault.NEWER if isinstance(error, UnsupportedFormatError) else fault
        _log.error(
            "archive_object_unreadable",
            object=name,
            fault=fault.name.lower(),
            reason=error.reason if isinstance(error, CorruptObjectError) else str(error),
            offsets=None if offsets is None else [offsets.start, offsets.end],
            advice=f"{fault.value}; everlog tier verify --store URL lists all that is wrong",
        )

    def _note_sound(self, name: str, parts: Iterable[int]) -> None:
        known = self._objects.get(name)
        if known is None:
            return
        known.parts.difference_update(parts)
        if not known.parts:
            del self._objects[name]
            _log.info("archive_object_readable_again", object=name)

    def _forget_old(self) -> None:
        before = self._clock.monotonic() - FORGET_SECONDS
        for name in [name for name, each in self._objects.items() if each.met_at < before]:
            del self._objects[name]
