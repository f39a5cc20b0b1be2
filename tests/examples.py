"""How many examples a property is tried with: few in ``make test``, ten times as many if asked.

``make examples`` asks. There are no deadlines: on a busy machine a duration says nothing.
"""

import os

from hypothesis import settings

IS_LONG = "EVERLOG_TEST_EXAMPLES" in os.environ
TIMES = 10 if IS_LONG else 1
EXAMPLES = 40
"""Of a property that does not say how many it needs."""


def use() -> None:
    """Let properties be tried so from now on."""
    settings.register_profile("everlog", deadline=None, max_examples=EXAMPLES * TIMES)
    settings.load_profile("everlog")
