import pytest

from service.model.config_definition import (
    VALUE_CHARACTERS_MAX,
    InvalidConfigError,
    Setting,
    Synonym,
    by_name,
    combined,
    unknown_name,
)
from service.model.setting_type import INT_MAX, SettingType, Value


def setting(**fields: object) -> Setting:
    given: dict[str, object] = {
        "name": "some.bytes",
        "type": SettingType.INT,
        "default": 1,
        "documentation": "Something.",
    }
    return Setting(**(given | fields))  # type: ignore[arg-type]


def advice_for(definition: Setting, text: str) -> str:
    with pytest.raises(InvalidConfigError) as caught:
        definition.parse(text)
    return str(caught.value)


def test_a_refusal_names_the_setting_the_value_and_what_is_allowed() -> None:
    assert (
        advice_for(setting(low=5, high=9), "4") == "some.bytes=4: write a whole number from 5 to 9"
    )


def test_a_refusal_works_a_unit_out() -> None:
    assert advice_for(setting(), "2KiB").endswith("; that would be 2048")


@pytest.mark.rule("TIER-16")
@pytest.mark.parametrize("text", [str(INT_MAX + 1), str(-INT_MAX - 2), "9" * 20])
def test_a_number_that_its_type_cannot_hold_is_refused(text: str) -> None:
    assert "write a whole number from" in advice_for(setting(), text)


def test_bounds_are_allowed_themselves() -> None:
    bounded = setting(low=5, high=9)
    assert (bounded.parse("5"), bounded.parse("9")) == (5, 9)


def test_a_text_outside_of_the_choices_is_refused() -> None:
    chosen = setting(type=SettingType.STRING, choices=("a", "b"))
    assert chosen.parse("b") == "b"
    assert advice_for(chosen, "c") == "some.bytes=c: write one of a, b"


@pytest.mark.parametrize("text", ["a,c", "a,,b", ","])
def test_a_list_with_an_entry_outside_of_the_choices_is_refused(text: str) -> None:
    chosen = setting(type=SettingType.LIST, choices=("a", "b"))
    assert chosen.parse("b,a") == ("b", "a")
    assert "each one of a, b" in advice_for(chosen, text)


def test_a_rule_has_the_last_word() -> None:
    def even(value: Value) -> str | None:
        return None if int(str(value)) % 2 == 0 else "write an even number"

    assert setting(rule=even).parse("4") == 4
    assert advice_for(setting(rule=even), "5") == "some.bytes=5: write an even number"


def test_a_secret_is_not_repeated_in_a_refusal() -> None:
    def never(value: Value) -> str | None:
        return "write another one"

    secret = setting(type=SettingType.PASSWORD, rule=never)
    assert secret.sensitive
    assert "hunter2" not in advice_for(secret, "hunter2")


def test_an_endless_text_is_refused_without_being_repeated() -> None:
    text = "x" * (VALUE_CHARACTERS_MAX + 1)
    message = advice_for(setting(type=SettingType.STRING), text)
    assert len(message) < 200
    assert str(VALUE_CHARACTERS_MAX) in message


def test_only_the_beginning_of_a_long_text_is_repeated() -> None:
    assert len(advice_for(setting(), "x" * 10_000)) < 400


def test_a_password_in_a_url_is_not_repeated() -> None:
    chosen = setting(type=SettingType.STRING, choices=("a",))
    assert "some.bytes=s3://***@bucket: " in advice_for(chosen, "s3://me:hunter2@bucket")


def test_the_meaning_says_where_a_setting_changes_nothing() -> None:
    assert setting().meaning == "Something."
    assert (
        setting(no_effect="there is none").meaning
        == "Something. Accepted without effect: there is none."
    )


def test_a_default_is_written_as_kafka_prints_it() -> None:
    assert setting(default=("a", "b")).default_text == "a,b"
    assert setting(default=None).default_text is None


@pytest.mark.parametrize(("hours", "value"), [(2, 7_200_000), (0, 0), (-1, -1), (-5, -1)])
def test_a_synonym_in_hours_is_scaled_and_no_limit_stays_none(hours: int, value: int) -> None:
    assert Synonym("log.retention.hours", 3_600_000).scaled(hours) == value


def test_a_synonym_without_a_scale_gives_what_it_has() -> None:
    assert Synonym("log.local.retention.ms").scaled(-2) == -2
    assert Synonym("log.cleanup.policy").scaled(("compact",)) == ("compact",)


def test_an_unknown_name_is_answered_with_the_nearest_known_one() -> None:
    assert "did you mean retention.ms?" in str(unknown_name("retentoin.ms", ["retention.ms", "x"]))
    assert "everlog config list" in str(unknown_name("quux", ["retention.ms"]))


def test_settings_are_ordered_by_name() -> None:
    assert list(by_name([setting(name="b"), setting(name="a")])) == ["a", "b"]


def test_one_error_can_say_what_several_say() -> None:
    problems = [InvalidConfigError("a", "1", "write 2"), InvalidConfigError("b", None, "go away")]
    error = combined(problems)
    assert error.name == "a"
    assert str(error) == "a=1: write 2; b: go away"
    assert combined(problems[:1]) is problems[0]
