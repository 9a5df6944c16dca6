"""What the PyTorch target writes: exact text, and a folder that trains.

After a wanted change of spec.yaml's form, write the golden file anew:
``python -m targets.test_pytorch`` in ``tests``.
"""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

import shapeprof.nn
from shapeprof.design.cost import cost
from shapeprof.design.spec import (
    AsppSpec,
    ClassSpec,
    DecoderSpec,
    DerivedSpec,
    EncoderSpec,
    HeadSpec,
    InputSpec,
    ModelSpec,
    NetworkSpec,
    Rationale,
    SplitSpec,
    TrainingSpec,
    parse_spec,
)
from shapeprof.targets.target import EmittedFile, find_target

GOLDEN = Path(__file__).parent / "golden" / "spec.yaml"
ENVIRONMENT = os.environ | {"OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": "1"}

NETWORK = NetworkSpec(
    encoder=EncoderSpec(blocks=(1, 1, 1, 1), widths=(8, 8, 16, 16), output_stride=16),
    context=AsppSpec(rates=(1, 2), channels=8),
    decoder=DecoderSpec(logit_stride=4, skip_strides=(4, 8), channels=8),
    deep_supervision=(HeadSpec(stride=8),),
)


def spec() -> ModelSpec:
    counted = cost(NETWORK, classes=3, channels=3, crop=(48, 48), batch=2)
    return ModelSpec(
        design="skip+dilated",
        classes=(
            ClassSpec(id=0, name="background", raw_values=(0,), pixel_share=0.75),
            ClassSpec(id=1, name="crack", raw_values=("#ff0000", 128), pixel_share=0.25),
            ClassSpec(id=2, name='{steps} "ü": - | <b>\n# x'),
        ),
        background=0,
        input=InputSpec(),
        model=NETWORK,
        derived=DerivedSpec(
            parameters=counted.parameters,
            macs=counted.macs,
            receptive_field=counted.receptive_field,
            effective_receptive_field=round(counted.effective_receptive_field, 1),
            input_multiple=counted.input_multiple,
            memory_gb=round(counted.memory_gb, 4),
        ),
        training=TrainingSpec(crop=(48, 48), batch=2, steps=500, learning_rate=1e-5),
        split=SplitSpec(source="random"),
        rationale=(
            Rationale(
                rule="R1",
                name="logit-stride",
                sets=("model.decoder.logit_stride",),
                value=4,
                reason="thin: 3 px",
                interval=(0.1, 0.2),
            ),
        ),
    )


def text_of(name: str) -> str:
    content = next(each.content for each in find_target("pytorch").emit(spec()) if each.path == name)
    assert isinstance(content, str)
    return content


def write(files: tuple[EmittedFile, ...], folder: Path) -> None:
    for each in files:
        assert isinstance(each.content, str)
        (folder / each.path).parent.mkdir(parents=True, exist_ok=True)
        (folder / each.path).write_bytes(each.content.encode())


def test_spec_text_is_the_golden_one() -> None:
    assert text_of("spec.yaml") == GOLDEN.read_text(encoding="utf-8")


def test_spec_text_reads_back_as_the_spec() -> None:
    assert parse_spec(yaml.safe_load(text_of("spec.yaml")), "spec.yaml") == spec()


def test_files() -> None:
    paths = [each.path for each in find_target("pytorch").emit(spec())]
    scripts = ["train.py", "predict.py", "verify.py", "deploy.py"]
    assert paths[:7] == ["spec.yaml", *scripts, "requirements.txt", "README.md"]
    assert {"nn/__init__.py", "nn/network.py", "nn/train.py", "nn/predict.py", "nn/kit/checkpoint.py"} < set(paths)
    assert len(paths) == len(set(paths))


def test_the_network_is_copied_byte_for_byte(tmp_path: Path) -> None:
    write(find_target("pytorch").emit(spec()), tmp_path)
    source = Path(next(iter(shapeprof.nn.__path__)))
    modules = sorted(path.relative_to(source).as_posix() for path in source.rglob("*.py"))
    modules.remove("kit/backbone.py")
    assert sorted(path.relative_to(tmp_path / "nn").as_posix() for path in (tmp_path / "nn").rglob("*.py")) == modules
    for name in modules:
        assert (tmp_path / "nn" / name).read_bytes() == (source / name).read_bytes()


def test_the_network_imports_nothing_of_shapeprof() -> None:
    source = Path(next(iter(shapeprof.nn.__path__)))
    for path in source.rglob("*.py"):
        outside = "from ..." if path.parent != source else "from .."  # a kit file may import from nn/
        lines = [line.strip() for line in path.read_text().splitlines()]
        imports = [line for line in lines if line.startswith(("import ", "from "))]
        assert not [line for line in imports if line.startswith(outside) or "shapeprof" in line], path
        assert not [line for line in imports if "pydantic" in line], path


def test_class_names_stay_data_in_the_readme() -> None:
    readme = text_of("README.md")
    assert '    2  "{steps} \\"ü\\": - | <b>\\n# x"' in readme.splitlines()


def test_emitting_imports_nothing_heavy() -> None:
    code = (
        "import sys, shapeprof.targets.pytorch;"
        "print([m for m in ('torch', 'cv2', 'numpy', 'pandas') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export with eight 64 x 64 pairs: squares of class 1 and discs of class 2 that shine."""
    pytest.importorskip("torch")
    import cv2
    import numpy as np

    root = tmp_path_factory.mktemp("export with spaces")
    write(find_target("pytorch").emit(spec()), root)
    rng, rows = np.random.default_rng(0), []
    for i in range(8):
        mask = np.zeros((64, 64), np.uint8)
        top, left = (int(n) for n in rng.integers(4, 28, 2))
        mask[top : top + 24, left : left + 24] = 1
        cv2.circle(mask, (50, 50), 8, 2, -1)
        image = rng.integers(0, 60, (64, 64, 3), np.uint8) + (80 * mask[..., None]).astype(np.uint8)
        cv2.imwrite(str(root / f"image {i}.png"), image)
        cv2.imwrite(str(root / f"mask {i}.png"), mask)
        rows.append([f"image {i}.png", str(root / f"mask {i}.png"), "val" if i < 3 else "train", ""])
    write_table(root, rows)
    return root


def write_table(root: Path, rows: list[list[str]]) -> None:
    with (root / "dataset.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["image", "mask", "split", "group"], *rows])


def train(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "train.py", "--threads", "1", "--device", "cpu", *options]
    return subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.slow
def test_the_emitted_folder_trains(folder: Path) -> None:
    result = train(folder, "--steps", "4", "--eval-every", "2", "--lr", "0.01", "--workers", "2")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""  # no bar where nobody looks, no warning
    out = folder / "runs" / "last"
    assert sorted(p.name for p in out.iterdir()) == ["best.pt", "last.pt", "log.csv", "predictions.png"]
    with (out / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["1", "2", "3", "4"]
    assert rows[0]["miou"] is None or rows[0]["miou"] == ""
    assert 0 <= float(rows[3]["miou"]) <= 1
    before, _, after = result.stdout.partition("step ")
    assert "pairs    8: 5 to train, 3 held out (split: drawn at random, seed 0)" in before
    assert "plan     4 steps" in before
    assert "finish   expected in" in before
    assert "majority" in after
    assert "class 2" not in after


@pytest.mark.slow
def test_the_checkpoint_predicts_as_the_readme_says(folder: Path) -> None:
    if not (folder / "runs/trial/best.pt").exists():
        assert train(folder, "--steps", "1", "--out", "runs/trial").returncode == 0
    readme = (folder / "README.md").read_text(encoding="utf-8")
    example = readme.partition("From Python:")[2].partition("\n## ")[0]
    code = "\n".join(line[4:] for line in example.splitlines() if line[:4] == "    ")
    code = code.replace("runs/last", "runs/trial").replace("image.png", "image 0.png")
    result = subprocess.run(
        [sys.executable, "-c", code + "\nprint(classes.shape, network.training)"],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout == "(64, 64) False\n", result.stderr


def predict(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", str(folder / "predict.py"), "--device", "cpu", *options]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.slow
def test_images_are_predicted_with_an_overlay(folder: Path, tmp_path: Path) -> None:
    import cv2
    import numpy as np

    if not (folder / "runs/trial/best.pt").exists():
        assert train(folder, "--steps", "1", "--out", "runs/trial").returncode == 0
    for name in ("deep/odd.png", "grey.jpg"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "in" / name), np.full((37, 53, 3), 90, np.uint8))
    weights = ("--weights", str(folder / "runs/trial/best.pt"))
    result = predict(folder, str(tmp_path / "in"), "--out", str(tmp_path / "out"), *weights)
    assert (result.returncode, result.stderr) == (0, "")
    assert f"2 class maps in {tmp_path / 'out'}" in result.stdout
    names = {"deep/odd.png", "deep/odd_overlay.png", "grey.png", "grey_overlay.png"}
    assert {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.png")} == names
    classes = cv2.imread(str(tmp_path / "out/grey.png"), cv2.IMREAD_UNCHANGED)
    assert classes is not None and classes.shape == (37, 53) and classes.max() <= 2
    painted = cv2.imread(str(tmp_path / "out/grey_overlay.png"))
    assert painted is not None and (painted[classes == 0] == 90).all()

    (tmp_path / "in/broken.png").write_bytes(b"no image")
    result = predict(folder, str(tmp_path / "in"), "--out", str(tmp_path / "two"), "--no-overlay", *weights)
    assert result.returncode == 1 and "left out: " in result.stderr and "broken.png" in result.stderr
    assert "2 class maps" in result.stdout and not list((tmp_path / "two").rglob("*_overlay.png"))


@pytest.mark.slow
def test_no_image_overwrites_the_results_of_another(folder: Path, tmp_path: Path) -> None:
    if not (folder / "runs/trial/best.pt").exists():
        assert train(folder, "--steps", "1", "--out", "runs/trial").returncode == 0
    weights = ("--weights", str(folder / "runs/trial/best.pt"))
    (tmp_path / "in").mkdir()
    for name in ("a.png", "a.bmp", "b.png"):
        shutil.copy(folder / "image 0.png", tmp_path / "in" / name)  # read by content, whatever the suffix
    result = predict(folder, str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--no-overlay", *weights)
    assert (result.returncode, result.stderr) == (0, "")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.bmp.png", "a.png.png", "b.png"]

    shutil.copy(folder / "image 0.png", tmp_path / "in/b_overlay.png")  # as the overlay of b.png is named
    result = predict(folder, str(tmp_path / "in"), "--out", str(tmp_path / "none"), *weights)
    assert result.returncode == 1 and "b_overlay.png: its results would be written over those of" in result.stderr
    assert not (tmp_path / "none").exists()
    result = predict(folder, str(tmp_path / "in"), "--out", str(tmp_path / "maps"), "--no-overlay", *weights)
    assert result.returncode == 0 and (tmp_path / "maps/b_overlay.png").exists()


@pytest.mark.slow
def test_mistakes_in_predicting_are_one_line(folder: Path, tmp_path: Path) -> None:
    write(find_target("pytorch").emit(spec()), tmp_path)
    image = str(folder / "image 0.png")
    for options, said in (
        ((image,), "best.pt is missing: run train.py first"),
        ((str(tmp_path / "gone"), "--weights", str(folder / "spec.yaml")), "gone: no such image or folder"),
        ((str(tmp_path / "nn"), "--weights", str(folder / "spec.yaml")), "holds no images"),
        ((image, "--weights", str(folder / "spec.yaml")), "can't be read as a checkpoint"),
        ((image, image, "--weights", str(folder / "spec.yaml")), "would be written over those of"),
    ):
        result = predict(tmp_path, *options)
        assert result.returncode == 1
        assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1, result.stderr
        assert said in result.stderr


@pytest.mark.slow
def test_two_runs_with_one_seed_are_equal(folder: Path) -> None:
    logs = []
    for name in ("a", "b"):
        assert train(folder, "--steps", "2", "--out", f"runs/{name}").returncode == 0
        with (folder / "runs" / name / "log.csv").open() as file:
            logs.append([row["loss"] for row in csv.DictReader(file)])
    assert logs[0] == logs[1]


@pytest.mark.slow
def test_mistakes_are_one_line(folder: Path, tmp_path: Path) -> None:
    import cv2
    import numpy as np

    write(find_target("pytorch").emit(spec()), tmp_path)

    def error() -> str:
        result = train(tmp_path, "--steps", "8", "--workers", "1")
        assert result.returncode == 1, result.stdout + result.stderr
        assert result.stderr.startswith("error: ")
        assert result.stderr.count("\n") == 1
        return result.stderr

    assert "dataset.csv is missing: run 'shapeprof export' with --images" in error()
    image = str(folder / "image 0.png")
    write_table(tmp_path, [[image, "gone.png", "train", ""]])
    assert "gone.png is missing; dataset.csv names it in line 2" in error()
    cv2.imwrite(str(tmp_path / "bad.png"), np.full((64, 64), 7, np.uint8))
    good = [image, str(folder / "mask 0.png"), "train", ""]
    write_table(tmp_path, [good] * 10 + [[image, "bad.png", "train", ""]])
    assert "bad.png holds class id 7, but spec.yaml has only 0 to 2" in error()
    write_table(tmp_path, [[*good[:2], "val", ""]])
    assert "none whose split is 'train'" in error()
    (tmp_path / "spec.yaml").write_text(text_of("spec.yaml").replace("loss: ce+dice", "loss: ce+lovasz"))
    write_table(tmp_path, [good])
    assert "spec.yaml: training.loss 'ce+lovasz': 'lovasz' is unknown; known: ce, " in error()
    (tmp_path / "spec.yaml").write_text(text_of("spec.yaml").replace("norm: batch", "nrom: batch"))
    assert "model has an unknown field 'nrom'; meant 'norm'?" in error()


@pytest.mark.slow
def test_without_held_out_pairs_the_run_says_so(folder: Path, tmp_path: Path) -> None:
    write(find_target("pytorch").emit(spec()), tmp_path)
    write_table(tmp_path, [[str(folder / "image 0.png"), str(folder / "mask 0.png"), "train", ""]])
    result = train(tmp_path, "--steps", "2")
    assert result.returncode == 0, result.stderr
    assert "nothing is held out" in result.stdout
    assert sorted(p.name for p in (tmp_path / "runs/last").iterdir()) == ["last.pt", "log.csv"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process")
def test_an_interrupted_run_keeps_its_weights(folder: Path) -> None:
    command = [sys.executable, "train.py", "--steps", "100000", "--out", "runs/stopped", "--threads", "1"]
    process = subprocess.Popen(
        command, cwd=folder, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    log, deadline = folder / "runs/stopped/log.csv", time.monotonic() + 60
    while not (log.exists() and log.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    message = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert message.startswith("interrupted after ")
    assert (folder / "runs/stopped/last.pt").exists()


if __name__ == "__main__":
    GOLDEN.write_text(text_of("spec.yaml"), encoding="utf-8")
