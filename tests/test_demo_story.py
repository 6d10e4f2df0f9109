from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.story import main
from bench.story_stage import Gdal, NotAsTold, Voice

ROOT = Path(__file__).resolve().parent.parent


def test_the_story_of_two_phones_is_as_told():
    """`make demo` ends well: nothing typed offline is lost, a retry changes nothing, the secretary decides, all copies agree."""
    told = subprocess.run(
        [sys.executable, "-m", "bench.story"],
        cwd=ROOT,
        env=os.environ | {"PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert told.returncode == 0, told.stderr + told.stdout[-2000:]
    assert told.stderr == ""
    for line in (
        "✓ 离线期间网络请求 0 次",
        "两人填的不一样 1，已合并 1",
        "✓ 手机甲把同样的字节再传一次",
        "✓ 再拉取：0 行，什么都没变",
        "✓ 同一户：电话和走访时间都在",
        "从甲的手机移出",
        "✓ 两个值、两个人、两个时间并列",
        "✓ 书记采用网格员甲看过证件的号码，待办 1 → 0",
        "手机与服务器全部一致",
        "证件号码只显示末四位",
        "✓ 由另一个程序重新打开并清点",
        "处核对全部相符",
    ):
        assert line in told.stdout, line
    assert 60 <= len(told.stdout.splitlines()) <= 100  # about a page
    assert not re.search(r"\b(999999[0-9]{11}[0-9X]|102[0-9]{8})\b", told.stdout)  # no document, no phone number


def test_whatever_is_not_as_told_ends_the_story_in_one_line(capsys):
    """A check that does not hold, and any other failure: exit 1, one line that says where the story stopped."""

    def not_so(folder: Path, voice: Voice) -> None:
        voice.act("一 开门", "The house opens")
        voice.check(folder.is_dir(), "有文件夹", "a folder")
        voice.check(False, "有一万户", "ten thousand households")

    def breaks(folder: Path, voice: Voice) -> None:
        voice.act("二 登记", "Enrol")
        raise KeyError("users")

    for story, where in ((not_so, "一 开门：有一万户"), (breaks, "二 登记：KeyError 'users'")):
        assert main(story) == 1
        shown = capsys.readouterr()
        assert shown.err.startswith("故事不符") and where in shown.err and shown.err.count("\n") == 1
        assert "相符" not in shown.out


def test_files_are_counted_by_another_program_with_or_without_ogrinfo(tmp_path, monkeypatch):
    """Where GDAL's tools are not installed, the library's own GDAL counts the same in a process of its own."""
    points = [
        {
            "type": "Feature",
            "properties": {"cell_code": code},
            "geometry": {"type": "Point", "coordinates": [120.6, 31.3]},
        }
        for code in ("1", "1", "2")
    ]
    path = tmp_path / "resources.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "name": "resources", "features": points}))
    programs = [Gdal()]
    monkeypatch.setenv("PATH", str(tmp_path))
    programs.append(Gdal())
    assert programs[-1].name == "pyogrio"
    for gdal in programs:
        assert gdal.count(path, "resources") == 3
        assert gdal.count(path, "resources", "cell_code = '1'") == 2
        assert gdal.fields(path, "resources") == {"cell_code"}
    path.write_text("not a file of that kind")
    for gdal in programs:
        with pytest.raises(NotAsTold):
            gdal.count(path, "resources")
