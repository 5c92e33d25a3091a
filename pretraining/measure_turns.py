"""What a turned head costs, on drawings: is it found, is it read as turned, is it still the same person?

    python -m pretraining.measure_turns

The basis of the yaw limit for drawings in docs/photo-doctor.md: twenty development subjects in one plain scene each,
their heads turned by known angles besides the style's own.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from boothlab.features.faces import reader_for
from pretraining import draw, identities, scenes
from pretraining.randomness import stream

SUBJECTS, SIDE = 20, 256
TURNS = (0, 15, 30, 45, 60)


def main() -> None:
    """Print one row per angle: heads found, median yaw read, share within the limit of "the same person"."""
    reader = reader_for("drawings")
    rows: dict[int, list[tuple[float, float]]] = {turn: [] for turn in TURNS}
    for number in range(SUBJECTS):
        identity = identities.of("develop", number)
        if identity.noun != "person":
            continue
        plain = scenes.of(identity, stream(identities.SEED, "measure-turns", number), clean=True)
        frame = replace(plain.framing, scale=0.9, dx=0.0, dy=0.0, rotation=0.0, flip=False)
        straight = None
        for turn in TURNS:
            scene = replace(plain, framing=frame, turn=float(turn))
            pixels = draw.draw(identity, scene, SIDE, stream(identities.SEED, "measure-turns/noise", number)).pixels
            faces = reader.find(pixels)
            if not faces:
                rows[turn].append((np.nan, np.nan))
                continue
            who = reader.identify(pixels, faces[0])
            straight = who if turn == 0 else straight
            distance = np.nan if straight is None else float(np.linalg.norm(who - straight))
            rows[turn].append((faces[0].yaw, distance))
    for turn, found in rows.items():
        yaw, distance = np.array(found).T
        same = float(np.mean(distance <= reader.same_person))
        seen = int((~np.isnan(yaw)).sum())
        print(f"turned by {turn:2d}°: found {seen} of {len(found)}, yaw read {np.nanmedian(yaw):.0f}°, ", end="")
        print(f"same person {same:.0%}, median distance {np.nanmedian(distance):.2f}")


if __name__ == "__main__":
    main()
