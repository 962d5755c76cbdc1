"""How far a judging model agrees with people: Cohen's kappa.

J. Cohen, A coefficient of agreement for nominal scales, Educational and Psychological Measurement 20 (1960), 37-46.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

THRESHOLD = 0.6
"""Below this a judging model is told, and does not gate: substantial agreement begins there (Landis and Koch, 1977)."""


def kappa(pairs: Sequence[tuple[bool, bool]]) -> float:
    """Agreement beyond chance of two judges over yes/no labels, from -1 to 1. Raises ValueError without labels.

    Where both always say the same one thing there is nothing to tell agreement from chance by: 1 if they agree.
    """
    if not pairs:
        raise ValueError("there are no labels to compare")
    observed = sum(one == other for one, other in pairs) / len(pairs)
    first, second = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    chance = sum(first[label] * second[label] for label in (True, False)) / len(pairs) ** 2
    return 1.0 if chance == 1.0 else (observed - chance) / (1.0 - chance)
