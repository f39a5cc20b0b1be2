"""Where a broker's configuration comes from, and how the sources become one.

The stronger ones come later: what the command decides, a TOML file, the environment, options,
``--set``. In the file a name is a key in quotes, a dotted key, or a path of tables; in the
environment ``log.segment.bytes`` is ``EVERLOG_LOG_SEGMENT_BYTES``. Everything that is
wrong is found at once.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from service.model.absent_settings import absent_setting_advice
from service.model.broker_config import (
    BrokerConfig,
    ConfigProblem,
    GivenValue,
    InvalidBrokerConfigError,
    Origin,
    misreadings,
)
from service.model.broker_settings import all_names, canonical_name
from service.model.setting_type import write

ENVIRONMENT_PREFIX = "EVERLOG_"

OTHERS_PREFIXES = ("EVERLOG_GATEWAY_", "EVERLOG_TEST_", "EVERLOG_BOOTSTRAP", "EVERLOG_TIMEOUT")
"""Variables that are not about a broker: the gateway's, the tests', and the command line's."""

_SERVICE_LINK = re.compile(
    r"EVERLOG_(.+_)?(SERVICE_(HOST|PORT)(_.+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)"
)
_SERVICE_URL = re.compile(r"(tcp|udp|sctp)://.*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigSources:
    """Everything that a configuration is made of, the weakest first.

    Attributes:
        command: What the command itself decides, such as ``everlog dev``, by name.
        file: A TOML file.
        environment: All variables; only those of Everlog are looked at.
        options: Options of the command that are settings of their own: by the setting's name, the
            option and its text.
        flags: The arguments of ``--set``, ``name=value``; of two for one name the later holds.
    """

    command: Mapping[str, str] = field(default_factory=dict)
    file: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    flags: Sequence[str] = ()


def load_config(sources: ConfigSources) -> BrokerConfig:
    """Read all sources and make one configuration of them.

    Raises:
        InvalidBrokerConfigError: Anything is wrong, in any of them.
    """
    gathering = _Gathering()
    gathering.add_command(sources.command)
    if sources.file is not None:
        gathering.add_file(sources.file)
    gathering.add_environment(sources.environment)
    gathering.add_options(sources.options)
    gathering.add_flags(sources.flags)
    if gathering.problems:
        # What was not read cannot be missed, so contradictions would mislead.
        problems = (*gathering.problems, *misreadings(gathering.given))
        raise InvalidBrokerConfigError(problems)
    return BrokerConfig.of(gathering.given)


def environment_name(name: str) -> str:
    """Return the variable for a setting: capitals, ``_`` for each dot, and the prefix."""
    return ENVIRONMENT_PREFIX + name.upper().replace(".", "_")


class _Gathering:
    """What the sources have said so far; a later text for a name replaces an earlier one.

    Attributes:
        given: By the settings' proper names, or as it was written where there is no such setting.
        problems: What cannot even be taken as a name and a text.
    """

    def __init__(self) -> None:
        self.given: dict[str, GivenValue] = {}
        self.problems: list[ConfigProblem] = []

    def add_command(self, values: Mapping[str, str]) -> None:
        for name, text in values.items():
            self._give(name, text, Origin.COMMAND, "the command")

    def add_file(self, path: Path) -> None:
        seen: dict[str, str] = {}
        for key, value in _entries(self._tables(path)):
            text = _text_of(value)
            name = canonical_name(key)
            if text is None:
                self._refuse(f"{path}", f"{key}: write a text, a number, true or false, or a list")
            elif name in seen:
                self._refuse(f"{path}", f"{key}: {seen[name]} has set that already; leave one out")
            else:
                self._give(key, text, Origin.FILE, f"{path}")
            seen.setdefault(name, key)

    def add_environment(self, variables: Mapping[str, str]) -> None:
        known = {environment_name(name): name for name in all_names()}
        for variable in sorted(variables):
            text = variables[variable]
            if not variable.startswith(ENVIRONMENT_PREFIX) or _is_foreign(variable, text, known):
                continue
            if variable in known:
                self._give(known[variable], text, Origin.ENVIRONMENT, variable)
            else:
                self._refuse(variable, _unknown_variable(variable, known))

    def add_options(self, options: Mapping[str, tuple[str, str]]) -> None:
        for name, (option, text) in options.items():
            self._give(name, text, Origin.FLAG, option)

    def add_flags(self, flags: Sequence[str]) -> None:
        for flag in flags:
            name, equals, text = flag.partition("=")
            if equals and name.strip():
                self._give(name.strip(), text, Origin.FLAG, "--set")
            else:
                self._refuse("--set", f"{flag!r} names no setting; write --set name=value")

    def _give(self, name: str, text: str, origin: Origin, where: str) -> None:
        proper = canonical_name(name)
        full_where = where if name == proper else f"{where}, {name}"
        self.given[proper] = GivenValue(text=text, origin=origin, where=full_where)

    def _refuse(self, where: str, message: str) -> None:
        self.problems.append(ConfigProblem(where=where, message=message))

    def _tables(self, path: Path) -> Mapping[str, object]:
        """Parse the file; when that fails say why, and go on without it."""
        try:
            return tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            self._refuse(f"{path}", f"{error.strerror}; give a TOML file that can be read")
        except UnicodeDecodeError:
            self._refuse(f"{path}", "it is no text; save it as UTF-8")
        except tomllib.TOMLDecodeError as error:
            hint = 'mend that line; where one name begins another, put both in quotes: "a.b" = 1'
            self._refuse(f"{path}", f"{error}; {hint}")
        return {}


def _entries(table: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Walk tables into pairs of a dotted name and a value."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _entries(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _text_of(value: object) -> str | None:
    """Write a TOML value as a setting's text; None for a kind that no setting has."""
    if isinstance(value, bool | int | float | str):
        return write(value)
    if isinstance(value, list) and all(isinstance(entry, str | int) for entry in value):
        return ",".join(map(write, value))
    return None


def _is_foreign(variable: str, text: str, known: Mapping[str, str]) -> bool:
    """Whether a variable is somebody else's.

    Kubernetes describes each service to each container. A service called everlog gives
    ``EVERLOG_PORT=tcp://...`` and more, one called everlog-admin even ``EVERLOG_ADMIN_PORT``.
    """
    if _SERVICE_URL.fullmatch(text):
        return True
    link = _SERVICE_LINK.fullmatch(variable) is not None
    return variable not in known and (link or variable.startswith(OTHERS_PREFIXES))


def _unknown_variable(variable: str, known: Mapping[str, str]) -> str:
    name = variable.removeprefix(ENVIRONMENT_PREFIX).lower().replace("_", ".")
    absent = absent_setting_advice(name)
    if absent is not None:
        return absent
    near = get_close_matches(variable, list(known), n=1)
    meant = f"did you mean {near[0]}?" if near else "`everlog config list` shows the settings."
    return f"no setting has this variable; {meant}"
