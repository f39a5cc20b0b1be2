"""The one error of the benchmark: nothing here recovers, so it is made to be shown to a person."""


class BenchError(Exception):
    """A measurement that cannot be taken; the message says why and, where known, what to do."""
