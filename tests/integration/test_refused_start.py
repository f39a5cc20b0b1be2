"""A start that cannot be is refused with one line that says what to do."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = str(Path(sys.executable).with_name("everlog"))
QUIET = {key: value for key, value in os.environ.items() if not key.startswith("EVERLOG_")}


def refusal(*words: str, status: int = 1) -> str:
    """Run a server that must not start, and return what it says about that."""
    done = subprocess.run(
        [PROGRAM, *words], capture_output=True, text=True, timeout=60, check=False, env=QUIET
    )
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("everlog: ")]
    assert len(said) == 1, done.stderr
    return said[0].removeprefix("everlog: ")


def dev_refusal(directory: Path, *words: str, status: int = 1) -> str:
    free = ["--port", "0", "--http-port", "0"]
    return refusal("dev", "--data-dir", str(directory), *free, *words, status=status)


def test_a_file_is_no_data_directory(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    file.write_text("hello")
    said = f"{file} cannot be the data directory (it is not a directory)"
    assert dev_refusal(file).startswith(said)
    assert "--data-dir" in dev_refusal(file / "below")


def test_a_data_directory_that_cannot_be_made_is_refused() -> None:
    said = dev_refusal(Path("/proc/foo"))
    assert said.startswith("/proc/foo cannot be the data directory (No such file or directory)")


@pytest.mark.parametrize(
    ("listener", "problem"),
    [
        ("PLAINTEXT://192.0.2.1:0", "192.0.2.1 is no address of this machine"),
        ("PLAINTEXT://no-such-host.invalid:0", "the name no-such-host.invalid does not resolve"),
    ],
)
def test_an_address_of_elsewhere_is_refused(tmp_path: Path, listener: str, problem: str) -> None:
    said = dev_refusal(tmp_path, "--set", f"listeners={listener}")
    assert said.startswith(problem)
    assert "listeners" in said


def test_one_port_for_both_is_refused_before_it_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
    said = dev_refusal(tmp_path, "--port", port, "--http-port", port, status=2)
    assert said.startswith(f"Kafka clients and the gateway cannot both have port {port}; give")


def test_a_broker_whose_port_is_taken_is_told_of_its_own_settings(tmp_path: Path) -> None:
    file = tmp_path / "broker.toml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        file.write_text(
            f'"data.dir" = "{tmp_path}/data"\nlisteners = "PLAINTEXT://127.0.0.1:{port}"\n'
        )
        said = refusal("broker", "--config", str(file))
    advice = "choose another port with listeners (--set listeners=PLAINTEXT://HOST:PORT)"
    assert said.endswith(advice)


def test_a_mistake_is_blamed_on_the_option_or_the_file_that_it_is_in(tmp_path: Path) -> None:
    said = dev_refusal(tmp_path, "--store", "foo", status=2)
    assert said.startswith("--store: store.url=foo: write file:///")
    file = tmp_path / "broker.toml"
    file.write_text('"zookeeper.connect" = "127.0.0.1:2181"\n')
    said = refusal("broker", "--config", str(file), "--check", status=2)
    assert said.startswith(f"{file}: store.url: ")


def test_a_zookeeper_that_does_not_answer_is_named_with_its_trouble(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as dead:
        dead_port = dead.getsockname()[1]
    with socket.create_server(("127.0.0.1", 0)) as mute:
        servers = f"127.0.0.1:{dead_port},127.0.0.1:{mute.getsockname()[1]},no-such-host.invalid"
        said = dev_refusal(
            tmp_path,
            *("--set", f"zookeeper.connect={servers}/path", "--set", "remote.storage.enable=false"),
            *("--set", "zookeeper.connection.timeout.ms=1500"),
            *("--set", "zookeeper.session.timeout.ms=1000"),
        )
    assert said.startswith("no ZooKeeper has answered within 1.5 seconds: ")
    assert f"127.0.0.1:{dead_port} (Connection refused)" in said
    assert "(it accepts connections but does not answer as ZooKeeper does)" in said
    assert "no-such-host.invalid:2181 (the name does not resolve)" in said
    assert "check zookeeper.connect" in said


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_of_certificates_that_cannot_be_read_is_named(
    tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    said = dev_refusal(
        tmp_path / "data",
        *("--set", "zookeeper.connect=127.0.0.1:1", "--set", "remote.storage.enable=false"),
        *("--set", "zookeeper.ssl.client.enable=true"),
        *("--set", f"zookeeper.ssl.truststore.location={file}"),
    )
    assert said.startswith(f"zookeeper.ssl.truststore.location={file}: ")
    assert "PEM" in said


def test_a_port_that_is_taken_is_named_with_the_option_for_another(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for option in ("--port", "--http-port"):
            said = dev_refusal(tmp_path, option, port)
            assert said.startswith(f"port {port} is taken by pid {os.getpid()} ")
            assert option in said
        said = dev_refusal(tmp_path, "--set", f"admin.port={port}")
        assert said.endswith("choose another port with admin.host and admin.port")
