"""What is asked of Maven, and that it is asked once."""

from pathlib import Path

from bench.peers.maven import Artifact, fetch_jars, pom


def test_a_classifier_is_named_and_nothing_else_has_one() -> None:
    text = pom([Artifact("g", "a", "1"), Artifact("g", "b", "1", "test")])
    assert text.count("<classifier>test</classifier>") == 1
    assert "<artifactId>a</artifactId><version>1</version></dependency>" in text


def test_jars_that_are_there_are_not_fetched(tmp_path: Path) -> None:
    (tmp_path / ".complete").touch()
    fetch_jars(tmp_path, [Artifact("no.such.group", "a", "1")])
    assert [path.name for path in tmp_path.iterdir()] == [".complete"]
