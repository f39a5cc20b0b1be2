"""What commands about topics share: settings on the command line, and finding a topic."""

from difflib import get_close_matches

from service.app.cli.client_library import Admin, Cluster, Topic
from service.app.cli.connection import REQUEST_SECONDS_MAX
from service.app.cli.failure import fail, misuse


def read_cluster(admin: Admin) -> Cluster:
    """Ask for all topics and brokers."""
    return admin.list_topics(timeout=REQUEST_SECONDS_MAX)


def find_topic(metadata: Cluster, name: str) -> Topic:
    """Return a topic; end if there is none of that name."""
    found = metadata.topics.get(name)
    if found is None:
        near = get_close_matches(name, list(metadata.topics), n=1)
        advice = f"did you mean {near[0]}?" if near else '"everlog topic list" shows those that do'
        fail(f"topic {name} does not exist", advice)
    return found


def read_pairs(option: str, pairs: list[str] | None) -> dict[str, str]:
    """Read ``name=value`` of an option; end if one is none."""
    found: dict[str, str] = {}
    for pair in pairs or []:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            misuse(f"{option} {pair!r} names nothing", f"write {option} name=value")
        found[name] = value
    return found
