"""The rules that plan the training, on numbers stated by hand."""

from __future__ import annotations

import math

import pytest

from shapeprof.design.cost import cost
from shapeprof.design.draft import Draft
from shapeprof.design.family import DEFAULT, Knobs
from shapeprof.design.spec import AsppSpec
from shapeprof.rules.flips import ENDS, SIDES, are_mirrored

from .stated import UNKNOWN, Stated, decide, stated


def with_training(**values: object) -> Draft:
    return DEFAULT.filled({f"training.{name}": value for name, value in values.items()})


# T1 size ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("images", "widths"), [(1999, (32, 64, 128, 256)), (2000, (64, 128, 256, 512))])
def test_the_encoder_is_wide_from_two_thousand_images(images: int, widths: tuple[int, ...]) -> None:
    draft = DEFAULT.filled({"model.context": AsppSpec(rates=(2,), channels=128)})
    outcome = decide("T1", stated(Stated(), images=images), draft)
    made = draft.filled(outcome.sets).checked().model
    assert made.encoder.widths == outcome.value == widths
    assert made.decoder.channels == widths[1]
    assert made.context is not None and made.context.channels == widths[2]
    assert made == Knobs(deep_supervision=(8,), context_rates=(2,), widths=widths).network()


def test_no_context_stays_none() -> None:
    assert "model.context" not in decide("T1", stated(Stated(), images=9999)).sets


# T2 crop ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("extent", "sides", "crop"),
    [
        (50, (480, 640), (128, 128)),  # 75 px: the smallest
        (180, (480, 640), (288, 288)),  # 270 px, up to a multiple of 32
        (192, (480, 640), (288, 288)),  # 288 px exactly
        (193, (480, 640), (320, 320)),
        (400, (480, 640), (480, 608)),  # 600 px: no longer than the mask's sides
        (400, (470, 640), (480, 608)),  # which are rounded up as well
        (9000, (4000, 5000), (1024, 1024)),  # the largest
        (50, (60, 100), (64, 128)),  # masks smaller than the smallest crop
        (UNKNOWN, (480, 640), (128, 128)),
    ],
)
def test_crops(extent: float, sides: tuple[int, int], crop: tuple[int, int]) -> None:
    evidence = stated(Stated(extents=(1, 1, extent)), sides=sides)
    outcome = decide("T2", evidence)
    assert outcome.value == outcome.sets["training.crop"] == crop
    assert outcome.threshold == min(crop) / 1.5


def test_the_largest_class_sets_the_crop() -> None:
    evidence = stated(Stated(1, "cat"), Stated(2, "cow", extents=(1, 1, 200)), Stated(3, "ant"))
    outcome = decide("T2", evidence)
    assert (outcome.value, outcome.binding_class) == ((320, 320), "cow")
    assert (
        outcome.reason
        == "Nine in ten objects are under 200 px, and crops are 1.5 times as wide. They have 320 x 320 px."
    )
    assert outcome.read is not None and outcome.read(evidence) == 200


def test_without_a_deciding_class_the_crop_is_the_smallest() -> None:
    outcome = decide("T2", stated(too_few=(Stated(extents=(1, 1, 300)),)))
    assert outcome.value == (128, 128) and outcome.binding_class is None
    assert outcome.reason.startswith("No class has enough objects")


# T3 batch ---------------------------------------------------------------------------------------


def memory(batch: int, crop: tuple[int, int] = (256, 256)) -> float:
    return cost(DEFAULT.model, 2, 3, crop, batch).memory_gb


@pytest.mark.parametrize(("batch", "accumulate"), [(16, 1), (12, 1), (8, 1), (6, 1), (4, 2)])
def test_the_largest_batch_that_fits(batch: int, accumulate: int) -> None:
    draft = with_training(crop=(256, 256))
    outcome = decide("T3", stated(Stated()), draft, memory_gb=memory(batch))
    assert dict(outcome.sets) == {
        "training.crop": (256, 256), "training.batch": batch, "training.accumulate": accumulate
    }  # fmt: skip
    assert outcome.measured == outcome.threshold == memory(batch)


def test_a_crop_of_which_four_do_not_fit_shrinks_by_a_fifth() -> None:
    outcome = decide("T3", stated(Stated()), with_training(crop=(256, 256)), memory_gb=memory(4) - 1e-6)
    assert outcome.sets["training.crop"] == (192, 192)  # 204.8, down to a multiple of 32
    assert outcome.value >= 4
    assert "Crops of 256 x 256 px would not have fitted in batches of 4." in outcome.reason


def test_no_memory_at_all_takes_the_smallest_and_says_so() -> None:
    outcome = decide("T3", stated(Stated()), with_training(crop=(512, 512)), memory_gb=0.001)
    assert (outcome.sets["training.crop"], outcome.value) == ((128, 128), 2)
    assert "even so" in outcome.reason and "Gradients of 4 batches are added up." in outcome.reason


def test_a_mask_under_the_smallest_crop_is_not_enlarged() -> None:
    outcome = decide("T3", stated(Stated()), with_training(crop=(64, 256)), memory_gb=0.001)
    assert outcome.sets["training.crop"] == (64, 128)


def test_the_largest_batch_can_be_lowered() -> None:
    assert decide("T3", stated(Stated()), largest_batch=6).value == 6
    assert decide("T3", stated(Stated()), largest_batch=1).value == 2  # the smallest that there is


# T4 norm ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("batch", "norm"), [(16, "batch"), (8, "batch"), (6, "group"), (2, "group")])
def test_group_norm_under_a_batch_of_eight(batch: int, norm: str) -> None:
    outcome = decide("T4", stated(Stated()), with_training(batch=batch))
    assert outcome.value == outcome.sets["model.norm"] == norm
    assert (outcome.measured, outcome.threshold) == (batch, 8)


# T5 rates ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "kept"),
    [(288, (6, 12)), (289, (6, 12, 18)), (256, (6, 12)), (192, (6,)), (96, ())],  # r < side / 16
)
def test_rates_that_the_crop_can_not_hold_go(side: int, kept: tuple[int, ...]) -> None:
    draft = DEFAULT.filled(
        {"model.context": AsppSpec(), "model.encoder.output_stride": 16, "training.crop": (side, 640)}
    )
    outcome = decide("T5", stated(Stated()), draft)
    assert outcome.value == kept
    context = draft.filled(outcome.sets).model.context
    assert context == (AsppSpec(rates=kept) if kept else None)
    assert ("No ASPP at rate" in outcome.reason) == (len(kept) < 3)


def test_without_context_there_is_no_rate_to_fit() -> None:
    assert decide("T5", stated(Stated())).sets == {}


# T6 steps ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("images", "batch", "accumulate", "steps"),
    [
        (100, 16, 1, 1500),  # 200 * 80 / 16 = 1,000: the fewest
        (500, 16, 1, 5000),  # 200 * 400 / 16
        (100, 2, 4, 2000),  # 200 * 80 / 8
        (520, 16, 1, 5000),  # 5,200, rounded to 500
        (530, 16, 1, 5500),
        (100_000, 16, 1, 20_000),
        (0, 16, 1, 1500),
    ],
)
def test_steps_show_every_image_two_hundred_crops(images: int, batch: int, accumulate: int, steps: int) -> None:
    outcome = decide("T6", stated(images=images), with_training(batch=batch, accumulate=accumulate))
    assert dict(outcome.sets) == {"training.steps": steps, "training.warmup_steps": steps // 20}


@pytest.mark.parametrize("steps", range(500, 20001, 500))
def test_the_warm_up_is_a_twentieth_to_the_step(steps: int) -> None:
    outcome = decide("T6", stated(images=0), fewest_steps=steps)
    assert outcome.sets["training.warmup_steps"] == steps // 20


# T7 loss ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "loss"), [(0.0499, "ce+dice"), (0.05, "ce"), (math.nan, "ce")])
def test_dice_joins_for_a_class_under_five_percent(share: float, loss: str) -> None:
    evidence = stated(Stated(), too_few=(Stated(2, "rare"),), pixel_shares={1: 0.3, 2: share})
    outcome = decide("T7", evidence)
    assert outcome.value == outcome.sets["training.loss"] == loss
    if loss == "ce+dice":
        assert outcome.binding_class == "rare" and outcome.reason.startswith("rare has 5.0% of the pixels: Dice joins")


def test_no_foreground_takes_cross_entropy() -> None:
    assert decide("T7", stated()).value == "ce"


# T8 flips ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "horizontal", "vertical"),
    [
        (("left kidney", "right kidney"), False, True),
        (("lung_L", "lung_R"), False, True),
        (("LeftHand", "RightHand"), False, True),
        (("upper lip", "lower lip"), True, False),
        (("superior left", "superior right", "inferior left", "inferior right"), False, False),
        (("left turn only", "kidney"), True, True),
        (("bright", "copyright"), True, True),
        ((), True, True),
    ],
)
def test_flips(names: tuple[str, ...], horizontal: bool, vertical: bool) -> None:
    outcome = decide("T8", stated(*(Stated(i, name) for i, name in enumerate(names, 1))))
    assert dict(outcome.sets) == {"training.horizontal_flip": horizontal, "training.vertical_flip": vertical}
    assert ("horizontal" in outcome.value, "vertical" in outcome.value) == (horizontal, vertical)
    assert ("mirroring would turn" in outcome.reason) == (not (horizontal and vertical))


def test_numbers_and_cases_are_words() -> None:
    assert are_mirrored(["rib 1 left", "Rib1Right"], SIDES)
    assert not are_mirrored(["top", "left"], ENDS)


# T9 scale ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "low"), [(10, 0.7), (2.9, 0.7), (2.5, 0.8), (2.4, 0.84), (2.0, 1.0), (1.2, 1.0), (UNKNOWN, 1.0)]
)
def test_nothing_is_shrunk_under_two_pixels(width: float, low: float) -> None:
    outcome = decide("T9", stated(Stated(1, "road"), Stated(2, "crack", widths=(width, 5))))
    assert outcome.value == outcome.sets["training.scale"] == (low, 1.4)
    assert outcome.binding_class == "crack" or width == 10


def test_classes_that_decide_nothing_else_still_must_not_vanish() -> None:
    assert decide("T9", stated(Stated(), too_few=(Stated(2, "hair", widths=(1, 2)),))).value == (1.0, 1.4)


# T10 light, T11 judge ---------------------------------------------------------------------------


def test_brightness_is_the_same_for_every_set() -> None:
    assert decide("T10", stated()).sets == {"training.jitter": 0.25}
    assert decide("T10", stated(), jitter=0.0).sets == {"training.jitter": 0.0}


@pytest.mark.parametrize(
    ("view", "scores"),
    [
        (Stated(), ("mean IoU", "boundary IoU")),
        (Stated(widths=(1, 4)), ("mean IoU", "clDice")),
        (Stated(widths=(1, 4.1)), ("mean IoU", "boundary IoU")),
        (Stated(measured=200, images=20), ("mean IoU", "object F1")),
        (Stated(measured=199, images=20), ("mean IoU", "boundary IoU")),
        (Stated(widths=(1, 2), measured=999, images=9), ("mean IoU", "clDice", "object F1")),
        (Stated(images=0, measured=0, widths=(UNKNOWN, UNKNOWN)), ("mean IoU", "boundary IoU")),
    ],
)
def test_scores_to_judge_by(view: Stated, scores: tuple[str, ...]) -> None:
    outcome = decide("T11", stated(view))
    assert outcome.value == scores and outcome.sets == {}
    assert outcome.reason.endswith(".") and len(outcome.reason) < 200


def test_many_classes_are_named_by_two() -> None:
    views = [Stated(i, f"c{i}", widths=(1, 2)) for i in range(1, 6)]
    assert decide("T11", stated(*views)).reason.startswith("Thin shapes (c1, c2 and 3 more) lose")
