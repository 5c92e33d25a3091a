"""Every number that decides a verdict, with where it comes from. (Torch-free.)

Most were settled on development subjects, each later one where its version says (docs/verdict.md). Changing one
after test subjects were looked at voids the confusion table there: make it again on subjects that nobody has seen.

Scales: *likeness* is identity to the photos, normalised per subject: 0 = "some person" as the base model draws them,
1 = as alike as two photos of this person. *Prompt following* is on a scale from 0 (chance) to 1
(every picture is nearer to its own prompt than to the plan's other prompts).
"""

from __future__ import annotations

LIKENESS_LEAST = 0.5
"""Likeness to held-out photos below which a snapshot has not learned its subject.

Half-way between "some person" and "two photos of this person". By definition of the scale, not by measurement."""

BARE_LIKENESS_LEAST = 0.25
"""Likeness of bare pictures to held-out photos below which these are not of the subject.

Copies and memorisation are looked for in bare pictures; in pictures of somebody else there are none to find. Half of
``LIKENESS_LEAST``; set beforehand. On two development subjects of toon whose captions all spoke of a background the
bare pictures had −0.03 and 0.08, with another training 0.41 to 0.82 (docs/decisions/035)."""

PROMPT_DROP_MOST = 0.10
"""How far prompt following may fall below the base model's; a larger fall counts where the pairs show one.

The base model's when it is told the subject's looks, where a description was given (docs/decisions/040).
Set beforehand. For comparison: Ruiz et al. 2023 say that people see a difference of 0.05 in CLIP-T, which was 0.3."""

LEAK_MOST = 0.10
"""Largest likeness that pictures of the class prompt, without the identifier, may have gained on the photos.

Set beforehand: a tenth of the way from "some person" to this person. A larger gain counts where the pictures show it:
that of ten has a standard error of 0.02 to 0.07, by whom they happen to show (docs/decisions/052)."""

FACELESS_MOST = 0.25
"""Limit for the upper end of the Wilson interval of the share of pictures without a face.

The evaluation notes' default for 20 pictures: 0 or 1 of 20 pass (upper ends 0.16 and 0.24), 2 do not (0.30)."""

MEMORISATION_LEVEL = 0.05
"""Level of the label-permutation test, on the raw p of what the untrained model's pictures do not explain
(docs/decisions/047).

Never Holm's: with 5 training and 3 held-out photos the smallest p is 1/56, which no correction survives."""

COPY_FACTOR = 0.5
"""A picture nearer to a photo than this × the smallest distance between two photos is called a copy.

For squared distances such as LPIPS. At 1.0 a model as varied as its photos has 2/(m + 1) of its pictures flagged, and
one of half the photos' spread all of them; at 0.5 none of either, and every exact copy (60 draws of 20 pictures and
12 photos with a 1/k spectrum, tests/unit/test_statistics_memorisation.py)."""

COPY_SURE = 0.25
"""A picture nearer than this × that distance is a copy whatever chance may do: half of ``COPY_FACTOR``.

Of ten planted subjects' softened copies 89 % lie below it, 57 % of cropped ones, and 3 of 37 pictures that come below
``COPY_FACTOR`` and are no copies (docs/decisions/050)."""

COPY_LEVEL = 0.05
"""Level of the test whether more of the flagged pictures are nearest to training photos than chance gives."""

COPY_LEAVE_OUT = 1
"""Photos left out of "the smallest distance between two photos": one of the closest pair.

Where two photos are nearly equal, no copy of another photo comes below half their distance. On the development
subject develop/3 cropped copies go from 2 to 16 of 20 flagged; new pictures are flagged hardly more often."""

COPY_SHARE_MOST = 0.05
"""Share of pictures that may be called copies: one of twenty is shown to the user, two make the gate fail.

The label-permutation test sees 2 copies of 20 only one time in ten; this gate is there for them. Counted beyond
what is to be expected by the pictures nearest to held-out photos (docs/decisions/041). Two make it fail where they
are sure ones (``COPY_SURE``), whatever is to be expected (docs/decisions/059); others where chance does not give as
many, or nothing says what it gives."""

DIVERSITY_TO_PHOTOS_LEAST = 0.35
"""Smallest mean squared distance between bare pictures, over that between the training photos.

A model of half the photos' spread has 0.25, the collapsed case of the evaluation notes; one as varied has 1."""

DIVERSITY_TO_BASE_LEAST = 0.15
"""The same over that between the base model's pictures of the class.

Lower than the limit to photos, because the base draws many people and the tuned model one. Set beforehand."""

GLUED_MOST = 0.5
"""Share of bare pictures that may show the training photos' most common background.

Set beforehand: in most pictures the background then is not chosen any more."""

GLUED_ABOVE_BASE = 0.25
"""How far that share must lie above the base model's to be put down to training: white walls are common anyway."""

ALIKE_LEAST = 0.5
"""Likeness of a snapshot's faces to one another from which they are one person's (scale as for likeness).

With a likeness to the photos below ``LIKENESS_LEAST`` that person is somebody else."""

ALIKE_ABOVE = 0.25
"""How far that likeness to one another must exceed the likeness to the photos before the person is somebody else.

On six development subjects of toon: 0.58 or more for another person drawn consistently, at most 0.19 for a subject
that was learned in some pictures and by its sayable looks in the others (docs/verdict.md)."""

IDENTITY_GAP_MOST = 0.30
"""How far likeness to training photos may exceed likeness to held-out ones.

Set beforehand; both are means over all photos of a kind, so that without memorisation the gap is about 0 where chance
dealt the photos; where the held-out ones were chosen nothing is concluded from it (docs/decisions/059)."""

PROMPT_WORSE = 0.05
"""Fall of prompt following between two snapshots that counts as getting worse: half of ``PROMPT_DROP_MOST``."""

DIVERSITY_WORSE = 0.15
"""Fall of diversity between two snapshots that counts as getting worse, in parts of the earlier. Set beforehand."""

LOSS_GAP_WORSE = 0.02
"""Rise of the held-out loss gap that counts as getting worse, in parts of the base model's loss. Set beforehand."""

TRAIN_LIKENESS_FALL = 0.02
"""A fall of likeness to the training photos up to this is none: where it is at its ceiling it cannot rise."""

STILL_LEARNS = 0.05
"""A rise of likeness to held-out photos by more than this since an earlier snapshot is learning, whatever else moved.

As large as a fall of prompt following that counts (docs/decisions/049)."""

SIGNS_NEEDED = 2
"""Of prompt following, diversity and loss gap so many must get worse before a snapshot is called overfitted."""

DOMINANCE_MARGIN = 0.05
"""A snapshot dominates another if it is shown to be no more than this worse on either axis, and better on one."""

DOMINANCE_LEVEL = 0.05
"""Level of "better on one", after Holm over all pairs of candidates and both axes."""

THRESHOLDS_VERSION = 13
"""Counted up whenever a number above, what it is held against, or the rule of choice changes; stands beside every
verdict."""
