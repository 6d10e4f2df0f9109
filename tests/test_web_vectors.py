"""The phone's programs answer as the server's do: the shared vectors are current, and larger ones made on the spot agree too."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from forms.values import MESSAGES
from tests import web_vectors

WEB = Path(__file__).parent.parent / "web"


def run_vitest(*files, **environment):
    """Run tests of the screens' programs in Node; what they printed."""
    own_node = WEB.parent / ".venv" / "node" / "bin"
    path = f"{own_node}{os.pathsep}{os.environ['PATH']}"
    command = ["node", "node_modules/vitest/vitest.mjs", "run", *files]
    done = subprocess.run(
        command, cwd=WEB, env=os.environ | environment | {"PATH": path}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    return done.stdout


def test_the_vectors_for_the_phone_are_current():
    """A form or a rule that changes here changes what the phone is tested with."""
    for path, content in web_vectors.files().items():
        written = (web_vectors.FOLDER / path).read_text(encoding="utf-8")
        assert written == web_vectors.text_of(content), f"{path}: run python -m tests.web_vectors"


def test_the_phone_words_errors_as_the_server_does():
    """The same mistake is called the same on the phone and in the office."""
    written = (WEB / "shared" / "forms" / "messages.ts").read_text(encoding="utf-8")
    for code, (zh, en) in MESSAGES.items():
        assert f"{code}: [{json.dumps(zh, ensure_ascii=False)}, {json.dumps(en)}]," in written


@pytest.mark.parametrize("points", [10_000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_points_and_expressions_agree(tmp_path, points):
    """Wherever a phone asks which cell holds a point, or what an expression is worth, it hears what the server would say."""
    ground, cases = tmp_path / "ground.json", tmp_path / "expressions.json"
    ground.write_text(json.dumps(web_vectors.ground(20, 40, points, 300)), encoding="utf-8")
    expressions = {"today": web_vectors.TODAY.isoformat(), "cases": web_vectors.cases(21, 10_000)}
    cases.write_text(json.dumps(expressions), encoding="utf-8")
    run_vitest(
        "shared/geo", "shared/forms/evaluate", DISHU_WEB_GROUND=str(ground), DISHU_WEB_EXPRESSIONS=str(cases)
    )
