"""What libraries log comes in our form, and once."""

import logging

from structlog.testing import capture_logs

from service.telemetry.library_logs import LibraryLogs

NAME = "test_library_logs"


def test_a_message_of_a_library_is_an_event_and_its_repetitions_are_counted() -> None:
    now = [0.0]
    LibraryLogs(lambda: now[0]).take(NAME)
    logger = logging.getLogger(f"{NAME}.below")
    with capture_logs() as logs:
        for client in range(250):
            logger.warning("Invalid request of %s.", client)
        now[0] = 60.0
        logger.warning("Invalid request of %s.", 250)
        logger.error("Something else.")
    assert [(each["message"], each["held_back"], each["log_level"]) for each in logs] == [
        ("Invalid request of 0.", 0, "warning"),
        ("Invalid request of 250.", 249, "warning"),
        ("Something else.", 0, "error"),
    ]
    assert {each["library"] for each in logs} == {f"{NAME}.below"}
