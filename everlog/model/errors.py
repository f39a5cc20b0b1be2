"""The errors of Everlog, classed by what the caller can do about them.

```
EverlogError
├── RetriableError      try the same again; nothing is known to have changed
├── RejectedError       the request is wrong as it stands; the caller must change it
├── FencedError         somebody newer has taken over; stop acting
└── CorruptionError     stored bytes are not what was written; never skipped
```

A subclass exists only where somebody handles it differently, or where the wire has a code
of its own for it.
"""


class EverlogError(Exception):
    """Anything that Everlog raises on purpose."""


class RetriableError(EverlogError):
    """The same call may succeed later; its outcome may be unknown, so it must be safe to repeat."""


class RejectedError(EverlogError):
    """The call cannot succeed as it stands."""


class FencedError(EverlogError):
    """A newer term exists; whoever gets this must stop acting in the old one."""


class CorruptionError(EverlogError):
    """Stored bytes fail their checksum or contradict each other."""
