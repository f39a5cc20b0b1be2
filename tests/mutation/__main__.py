"""``python -m tests.mutation [RULE...]``: a test has to fail once the rule that it holds is gone.

Works on a copy of the tree, so that nothing here is ever changed.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.mutation.mutations import ROOT, Mutation, mutated, mutations

COPIED = ("everlog", "service", "tests", "docs", "bench", "pyproject.toml", "constraints.txt")
SECONDS_MAX = 120
PASSED, FAILED = 0, 1
CONTRACT = "test_object_store.py"


def main(rules: list[str]) -> int:
    """Try all mutations, or those of some rules; return the exit status."""
    wanted = [each for each in mutations() if not rules or each.rule in rules]
    with tempfile.TemporaryDirectory(prefix="everlog-mutation-") as name:
        tree = Path(name)
        for each in COPIED:
            copy = shutil.copytree if (ROOT / each).is_dir() else shutil.copy
            copy(ROOT / each, tree / each)
        tests = sorted({test for each in wanted for test in each.tests})
        if _run(tests, tree, show=True) != PASSED:
            print("the tests do not pass as they are")
            return 1
        survivors = [survivor for each in wanted for survivor in _survivors(each, tree)]
    for each in survivors:
        print(f"SURVIVED {each}")
    print(f"{len(wanted)} mutations, {len(survivors)} tests that did not notice")
    return 1 if survivors else 0


def _survivors(mutation: Mutation, tree: Path) -> list[str]:
    """Return the tests that pass although their rule is gone."""
    texts = mutated(mutation, tree)
    originals = {path: path.read_text() for path in texts}
    for path, text in texts.items():
        path.write_text(text)
    try:
        found = [test for test in mutation.tests if _run([test], tree) != FAILED]
    finally:
        for path, text in originals.items():
            path.write_text(text)
    print(f"{'SURVIVED' if found else 'caught  '} {mutation.name}", flush=True)
    return [f"{mutation.name}: {test}" for test in found]


def _files_of(test: str, tree: Path) -> set[str]:
    """Return the modules that have a test; those of a contract run where it is put to use."""
    pattern = re.compile(rf"def {test}\(")
    found = {each for each in (tree / "tests").rglob("*.py") if pattern.search(each.read_text())}
    runs = {each if each.name.startswith("test_") else each.with_name(CONTRACT) for each in found}
    return {str(each.relative_to(tree)) for each in runs}


def _run(tests: Sequence[str], tree: Path, *, show: bool = False) -> int:
    """Run tests in the copy; return pytest's exit status."""
    files = sorted(set().union(*(_files_of(each, tree) for each in tests)))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--no-header"]
    command += [*files, "-k", " or ".join(tests)]
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    seconds = SECONDS_MAX * len(tests)
    try:
        done = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, check=False, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return FAILED  # it waits for ever for what the rule would have brought
    if show and done.returncode:
        print(done.stdout.decode())
    return done.returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
