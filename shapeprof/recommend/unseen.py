"""What a recommendation does not rest on: said beside it, so that nobody takes it for more than it is."""

from __future__ import annotations

from shapeprof.profile.profile import Profile


def unseen(profile: Profile) -> tuple[str, ...]:
    """What was not looked at: of each, a few words, a colon, and what follows from it."""
    sentences = ["The images: masks do not show whether colour, texture and contrast tell the classes apart."]
    if not profile.arguments.get("train_size"):
        sentences.append("Other input sizes: every number is at the masks' own size (--train-size measures another).")
    if len(profile.sample) < profile.images:
        sentences.append(
            f"Most outlines: width and survival come from a sample of {len(profile.sample):,} of "
            f"{profile.images:,} masks (--survival-sample measures more)."
        )
    sentences.append("How exactly the masks were drawn: finer logits than the annotators' hands bring nothing.")
    return tuple(sentences)
