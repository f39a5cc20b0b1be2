"""What a scrubber has seen is read from the page of a broker's metrics."""

from service.app.cli.scrub_facts import damage_text, samples_of, scrub_text

PAGE = """# HELP everlog_tier_scrub_objects_total Times that the store was asked.
# TYPE everlog_tier_scrub_objects_total counter
everlog_tier_scrub_objects_total 1204.0
everlog_tier_scrub_read_bytes_total 1.048576e+06
everlog_tier_scrub_round_ratio 0.25
everlog_tier_scrub_missing_objects {missing}
everlog_tier_scrub_unsound_objects 0.0
everlog_tier_objects_total 7.0
"""


def test_the_samples_of_scrubbing_are_found_among_all() -> None:
    found = samples_of(PAGE.format(missing="0.0"))
    assert found is not None
    assert len(found) == 5
    assert scrub_text(found) == (
        "nothing wrong; 1,204 looks and 1.0 MiB read since the start, round 25% over"
    )


def test_what_is_missing_comes_first_and_says_where_to_look() -> None:
    found = samples_of(PAGE.format(missing="2.0"))
    assert found is not None
    assert scrub_text(found).startswith("2 objects missing, 0 unsound: the log names them")


def test_a_page_without_them_says_that_scrubbing_is_off() -> None:
    assert samples_of("everlog_tier_objects_total 7.0\n") is None


def test_what_readers_have_met_is_told_also_while_scrubbing_is_off() -> None:
    assert damage_text(PAGE) is None
    assert damage_text("everlog_tier_damaged_objects 0.0\n") is None
    found = damage_text("everlog_tier_damaged_objects 2.0\n")
    assert found is not None
    assert found.startswith("2 archived objects damaged or missing: the log names them")
