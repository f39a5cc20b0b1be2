"""What a setting is: its name, type, default, limits and meaning."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum

from everlog.model.errors import RejectedError
from service.model.setting_type import SHORT_MAX, SettingType, Value, in_plain_units, write

Rule = Callable[[Value], str | None]
"""A check that a range cannot say; returns what to write instead, or None when all is well."""

VALUE_CHARACTERS_MAX = SHORT_MAX
"""Longest text of one value; Kafka's metadata holds no longer one either."""

SHOWN_CHARACTERS_MAX = 200
"""So much of a refused text is repeated; messages travel in strings of the protocol."""


class Importance(Enum):
    """How many people will ever want to change a setting."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class InvalidConfigError(RejectedError):
    """A setting that does not exist, or a value that it cannot have.

    Attributes:
        name: The setting.
        value: The text that was given, fit to be shown; None when there is none to show.
        advice: What is wrong, and what to do about it.
        because: A setting that somebody has set and that makes this one wrong, if that is so.
    """

    def __init__(
        self, name: str, value: str | None, advice: str, *, because: str | None = None
    ) -> None:
        super().__init__(f"{name}: {advice}" if value is None else f"{name}={value}: {advice}")
        self.name = name
        self.value = value
        self.advice = advice
        self.because = because


@dataclass(frozen=True, slots=True)
class Synonym:
    """A broker setting that gives a topic setting its default.

    Attributes:
        scale: What the broker's number is multiplied by, as for hours; a negative one becomes -1.
    """

    name: str
    scale: int = 1

    def scaled(self, value: Value) -> Value:
        """Turn the broker's value into the topic's."""
        if self.scale == 1:
            return value
        assert isinstance(value, int), f"{self.name} has a scale and is no number"
        return value * self.scale if value >= 0 else -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting of a topic or of a broker.

    Attributes:
        default: None where nothing holds unless somebody says so.
        documentation: Meaning and unit, in a sentence or two.
        low: Least number allowed.
        high: Greatest number allowed.
        choices: The only texts allowed; for a list, the only entries.
        rule: Anything else that must hold.
        dynamic: Whether it can be changed while brokers run.
        no_effect: Why it changes nothing here; None when it is honoured.
        synonyms: Broker settings that give a topic's default, strongest first.
        aliases: Other names for the same, such as Kafka's.
    """

    name: str
    type: SettingType
    default: Value | None
    documentation: str
    importance: Importance = Importance.MEDIUM
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    rule: Rule | None = None
    dynamic: bool = False
    no_effect: str | None = None
    synonyms: tuple[Synonym, ...] = ()
    aliases: tuple[str, ...] = ()

    @property
    def sensitive(self) -> bool:
        """Whether the value must never be shown."""
        return self.type is SettingType.PASSWORD

    @property
    def meaning(self) -> str:
        """The documentation, and a note where the setting changes nothing."""
        if self.no_effect is None:
            return self.documentation
        return f"{self.documentation} Accepted without effect: {self.no_effect}."

    @property
    def allowed(self) -> str:
        """What may be written, as a phrase."""
        if self.type is SettingType.BOOLEAN:
            return "true or false"
        if self.type.bounds is not None:
            kind = "a number" if self.type is SettingType.DOUBLE else "a whole number"
            low, high = self._limits()
            return f"{kind} from {low} to {high}"
        entry = f"one of {', '.join(self.choices)}" if self.choices else "a text"
        return f"a comma-separated list, each {entry}" if self.type is SettingType.LIST else entry

    def parse(self, text: str) -> Value:
        """Read a text.

        Raises:
            InvalidConfigError: It is not a value that this setting can have.
        """
        if len(text) > VALUE_CHARACTERS_MAX:
            advice = f"{len(text)} characters are too many, write at most {VALUE_CHARACTERS_MAX}"
            raise InvalidConfigError(self.name, None, advice)
        value = self.type.read(text)
        fault = self._unreadable(text) if value is None else self._fault(value)
        if value is None or fault is not None:
            raise InvalidConfigError(self.name, self._shown(text), str(fault))
        return value

    @property
    def default_text(self) -> str | None:
        """The default as Kafka prints it."""
        return None if self.default is None else write(self.default)

    def _shown(self, text: str) -> str | None:
        """Return a refused text as it may be repeated: short, and without secrets."""
        if self.sensitive:
            return None
        harmless = re.sub(r"//[^/@]*@", "//***@", text)
        if len(harmless) <= SHOWN_CHARACTERS_MAX:
            return harmless
        return f"{harmless[:SHOWN_CHARACTERS_MAX]}..."

    def _unreadable(self, text: str) -> str:
        meant = in_plain_units(self.name, text)
        return f"write {self.allowed}" + ("" if meant is None else f"; that would be {meant}")

    def _fault(self, value: Value) -> str | None:
        """Return what to do about a value of the right type that is not allowed, or None."""
        if isinstance(value, tuple):
            known = not self.choices or set(value) <= set(self.choices)
            fits = known and "" not in value
        elif isinstance(value, str | bool):
            fits = not self.choices or value in self.choices
        else:
            low, high = self._limits()
            fits = low <= value <= high
        if not fits:
            return f"write {self.allowed}"
        return None if self.rule is None else self.rule(value)

    def _limits(self) -> tuple[float, float]:
        assert self.type.bounds is not None, f"{self.name} is no number"
        low, high = self.type.bounds
        return low if self.low is None else self.low, high if self.high is None else self.high


def by_name(settings: Iterable[Setting]) -> Mapping[str, Setting]:
    """Index settings by name, in the order of their names."""
    return {setting.name: setting for setting in sorted(settings, key=lambda each: each.name)}


def unknown_name(name: str, known: Iterable[str]) -> InvalidConfigError:
    """Make the error for a setting that does not exist, naming the one that may be meant."""
    near = get_close_matches(name, list(known), n=1)
    meant = f"did you mean {near[0]}?" if near else "`everlog config list` shows those that do"
    return InvalidConfigError(name, None, f"no such setting exists; {meant}")


def combined(problems: Sequence[InvalidConfigError]) -> InvalidConfigError:
    """Make one error that says what several say; it is about the setting of the first."""
    first, *others = problems
    if not others:
        return first
    return InvalidConfigError(first.name, first.value, "; ".join([first.advice, *map(str, others)]))
