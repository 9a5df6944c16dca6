"""From a place to its profile: given, kept, scanned anew or fetched."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from shapeprof import session
from shapeprof.errors import InputError, NothingMeasurable, ProfileError, ShapeprofError, UsageError
from shapeprof.export.export import export_model
from shapeprof.export.verify import Verification
from shapeprof.options import DesignOptions, ExportOptions
from shapeprof.progress import Progress
from shapeprof.recommend.recommend import recommend_design
from shapeprof.scan.options import ScanOptions
from shapeprof.session import SILENT, Found, Listener
from shapeprof.sources import ReadOptions

from .builders import discs, profile_of, write_set

ONE = ScanOptions(workers=1)


class Ear:
    """Remembers what is said and which bars are opened."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.bars: list[str] = []
        self.counts: list[tuple[int, int]] = []
        self.listener = Listener(self.said.append, self.bar)

    @contextmanager
    def bar(self, title: str) -> Iterator[Progress]:
        self.bars.append(title)
        yield lambda done, total: self.counts.append((done, total))


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of masks, with a kept scan and images."""
    folder = tmp_path_factory.mktemp("scanned")
    masks = write_set(folder / "masks", discs(14, 20, per_image=9), images=folder / "images")
    session.scan(masks, ONE)
    return masks


@pytest.fixture
def masks(scanned: Path, tmp_path: Path) -> Path:
    """The masks anew, without a scan."""
    return shutil.copytree(scanned, tmp_path / "masks")


@pytest.mark.parametrize("place", ["", "  ", "\n"])
def test_an_empty_place_is_a_usage_error(place: str) -> None:
    with pytest.raises(UsageError, match=r"empty, as from an unset variable.*expected a folder"):
        session.local(place)


def test_a_path_is_itself_whether_it_exists_or_not(ear: Ear) -> None:
    assert session.local("no/such place", ear.listener) == Path("no/such place")
    assert (ear.said, ear.bars) == ([], [])


def test_a_url_is_fetched(masks: Path, ear: Ear, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHAPEPROF_CACHE", str(tmp_path / "cache"))
    copy = session.local(masks.as_uri(), ear.listener)
    assert copy != masks and copy.is_relative_to(tmp_path / "cache")
    assert sorted(p.name for p in copy.iterdir()) == sorted(p.name for p in masks.iterdir())
    assert ear.bars == ["Fetching"] and ear.counts[-1] == (14, 14)
    with pytest.raises(InputError, match="absent"):
        session.local((tmp_path / "absent").as_uri())


def test_profiles_are_told_from_masks_lists_and_annotations(scanned: Path, tmp_path: Path) -> None:
    out = scanned.with_name("masks.shapeprof")
    assert session.is_profile(out) and session.is_profile(out / "profile.json")
    (tmp_path / "list.txt").write_text(f"{scanned / '000.png'}\n")
    coco = {"images": [], "annotations": [], "categories": []}
    (tmp_path / "coco.json").write_text(json.dumps(coco))
    for place in (scanned, tmp_path / "list.txt", tmp_path / "coco.json", tmp_path / "absent"):
        assert not session.is_profile(place), place


def test_a_profile_stands_for_its_masks(scanned: Path, ear: Ear, tmp_path: Path) -> None:
    out = scanned.with_name("masks.shapeprof")
    for place in (out, out / "profile.json"):
        found = session.find_profile(place, None, ear.listener)
        assert found.out == out and found.profile.ledger.read == 14 and math.isnan(found.seconds)
    assert (ear.said, ear.bars) == ([], [])
    (tmp_path / "profile.json").write_text("[1]")
    with pytest.raises(ProfileError, match=r"profile\.json"):
        session.find_profile(tmp_path)


def test_a_kept_scan_is_used_as_long_as_it_holds(masks: Path, ear: Ear) -> None:
    first = session.find_profile(masks, None, ear.listener)
    assert ear.said == [f"No up-to-date scan of {masks} is kept: scanning it first."]
    assert ear.bars == ["Measuring"] and ear.counts[-1] == (14, 14)
    assert first.out == masks.with_name("masks.shapeprof") and first.seconds > 0

    kept = session.find_profile(masks, None, ear.listener)
    assert (len(ear.said), len(ear.bars)) == (1, 1)
    assert kept.out == first.out and math.isnan(kept.seconds)
    assert kept.profile.fingerprint == first.profile.fingerprint

    shutil.copy(masks / "000.png", masks / "more.png")
    changed = session.find_profile(masks, None, ear.listener)
    assert changed.profile.ledger.files == 15
    assert ear.said[1:] == [
        f"No up-to-date scan of {masks} is kept: scanning it first.",
        "14 of 15 masks are as an earlier scan measured them.",
    ]


def test_a_kept_scan_made_with_other_options_is_named_or_replaced(masks: Path, ear: Ear) -> None:
    session.scan(masks, replace(ONE, floor=8, sample=12))
    kept = session.find_profile(masks, None, ear.listener)
    assert kept.profile.arguments["floor"] == 8
    assert ear.said == ["As in the kept scan of these masks: sample 12, floor 8."]
    same = session.find_profile(masks, replace(ONE, floor=8, sample=12, workers=2), ear.listener)
    assert same.profile.arguments == kept.profile.arguments and len(ear.said) == 1
    other = session.find_profile(masks, replace(ONE, read=ReadOptions(instances=False)), ear.listener)
    assert other.profile.arguments["instances"] is False and other.profile.ledger.files == 14
    assert ear.said[1].startswith("No up-to-date scan")


def test_a_scan_goes_where_it_is_asked_to(masks: Path, tmp_path: Path) -> None:
    found = session.scan(masks, ONE, tmp_path / "out" / "deep")
    assert found.out == tmp_path / "out" / "deep" and (found.out / "profile.json").is_file()
    assert not masks.with_name("masks.shapeprof").exists()
    with pytest.raises(NothingMeasurable):
        (tmp_path / "empty").mkdir()
        session.scan(tmp_path / "empty", ONE)


def test_a_first_scan_says_how_long_compiling_takes(masks: Path, ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shapeprof.jit.is_compiled", lambda: False)
    session.scan(masks, ONE, listener=ear.listener)
    assert ear.said == [
        "First run on this machine: compiling the kernels, once: about a minute, up to three beside other work."
    ]


def test_an_interrupted_scan_says_that_it_goes_on(masks: Path, ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("shapeprof.scan.scan.scan_masks", stop)
    with pytest.raises(KeyboardInterrupt):
        session.scan(masks, ONE, listener=ear.listener)
    assert ear.said == ["What is measured is kept: the same command goes on from there."]


def test_a_scan_says_which_masks_have_their_images(scanned: Path, masks: Path, tmp_path: Path) -> None:
    found = session.scan(masks, ONE, images=scanned.with_name("images"))
    last = found.profile.issues[-1]
    assert (last.severity, last.code) == ("info", "images-paired")
    assert last.message.startswith("14 of 14 masks have their image")
    kept = json.loads((found.out / "profile.json").read_text())
    assert "images-paired" not in {issue["code"] for issue in kept["issues"]}
    others = write_set(tmp_path / "others", discs(2, 9), "_b.png")
    assert session.scan(masks, ONE, images=others).profile.issues[-1].code == "images-do-not-match"
    with pytest.raises(InputError, match="absent: no such folder; expected the images"):
        session.scan(masks, ONE, tmp_path / "not-made", images=tmp_path / "absent")
    assert not (tmp_path / "not-made").exists()


def test_thresholds_come_from_the_file_and_then_from_options(tmp_path: Path) -> None:
    usual = session.thresholds(DesignOptions())
    (tmp_path / "mine.toml").write_text("tolerance = 0.2\nmin_objects = 7\n")
    mine = session.thresholds(DesignOptions(rules=tmp_path / "mine.toml"))
    assert (mine.tolerance, mine.min_objects) == (0.2, 7)
    both = session.thresholds(DesignOptions(tolerance=0.3, rules=tmp_path / "mine.toml"))
    assert (both.tolerance, both.min_objects) == (0.3, 7)
    assert replace(usual, tolerance=0.3) == session.thresholds(DesignOptions(tolerance=0.3))
    with pytest.raises(UsageError, match=r"absent\.toml"):
        session.thresholds(DesignOptions(rules=tmp_path / "absent.toml"))


def recommended(found: Found, design: DesignOptions) -> object:
    return session.recommended(found.profile, session.thresholds(design), design)


def test_memory_is_the_option_or_that_of_the_rules_file(scanned: Path, tmp_path: Path) -> None:
    found = session.find_profile(scanned)
    usual = recommended(found, DesignOptions())
    assert usual == recommended(found, DesignOptions(memory=8.0))
    (tmp_path / "mine.toml").write_text("memory_gb = 1.0\n")
    small = recommended(found, DesignOptions(memory=1.0))
    assert recommended(found, DesignOptions(rules=tmp_path / "mine.toml")) == small


def test_a_design_of_ones_own_replaces_the_recommended_one(scanned: Path) -> None:
    found, design = session.find_profile(scanned), DesignOptions()
    recommendation = session.recommended(found.profile, session.thresholds(design), design)
    assert session.chosen(recommendation, found.profile, ExportOptions(), design).network == recommendation.network
    other = session.chosen(recommendation, found.profile, ExportOptions(reference="deeplabv3+"), design)
    assert other.network != recommendation.network
    with pytest.raises(UsageError, match="unett"):
        session.chosen(recommendation, found.profile, ExportOptions(reference="unett"), design)


@pytest.mark.slow
def test_an_export_has_the_group_of_the_scan(masks: Path, scanned: Path, ear: Ear, tmp_path: Path) -> None:
    found = session.scan(masks, replace(ONE, group=r"(\d\d)\d\.png"))
    design, out = DesignOptions(), tmp_path / "net"
    recommendation = session.recommended(found.profile, session.thresholds(design), design)
    options = ExportOptions(images=scanned.with_name("images"))
    result = session.export(found.profile, recommendation, out, masks, options, listener=ear.listener)
    assert result.pairs == 14 and ear.bars == ["Writing masks"]
    groups = {line.rsplit(",", 1)[1] for line in (out / "dataset.csv").read_text().splitlines()[1:]}
    assert groups == {"00", "01"}
    session.export(found.profile, recommendation, tmp_path / "own", masks, options, r"(\d)\.png")
    groups = {line.rsplit(",", 1)[1] for line in (tmp_path / "own" / "dataset.csv").read_text().splitlines()[1:]}
    assert groups == {str(i) for i in range(10)}


def test_an_export_that_cannot_be_checked_is_an_export_all_the_same(tmp_path: Path, ear: Ear) -> None:
    profile = profile_of(discs(20, 12))
    result = export_model(profile, recommend_design(profile), tmp_path / "net")
    (tmp_path / "net/verify.py").unlink()
    why = session.quick_checks(result, ear.listener)
    assert isinstance(why, ShapeprofError) and not isinstance(why, Verification)
    assert str(tmp_path) in str(why) and ear.bars == ["Checking"]


def test_silence_takes_everything() -> None:
    SILENT.say("anything")
    with SILENT.bar("Anything") as progress:
        assert progress is None
