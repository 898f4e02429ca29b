"""What becomes of a recognizer's score in Presidio: context words raise it, thresholds drop it.

Without a language model neither depends on the text. So Presidio's engine itself is asked once for
each recognizer and score, about a recognizer that gives just that score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from atlas_dagster.pii.detectors import Score
from atlas_dagster.pii.recognizer_file import LANGUAGE


class FinalScores:
    """Scores with these words of context."""

    def __init__(self, context: Sequence[str]) -> None:
        self._context = list(context)
        self._known: dict[tuple[int, Score], Score | None] = {}

    def of(self, recognizer: Any, raw: Score) -> Score | None:
        """The scores that Presidio reports; None where it reports no result."""
        key = (id(recognizer), raw)
        if key not in self._known:
            best, whole = (_asked(recognizer, score, self._context) for score in raw)
            self._known[key] = Score(best, whole) if best else None
        return self._known[key]


def _asked(recognizer: Any, score: float, context: list[str]) -> float:
    if not score:
        return 0.0
    from atlas_dagster.pii.recognizers import engine_of

    results = engine_of([_echo(recognizer, score)]).analyze("x", language=LANGUAGE, context=context)
    return max((float(result.score) for result in results), default=0.0)


def _echo(recognizer: Any, score: float) -> Any:
    """A recognizer that is like another in all but what it finds: always the same."""
    from presidio_analyzer import AnalysisExplanation, LocalRecognizer, RecognizerResult

    class Echo(LocalRecognizer):
        def load(self) -> None:
            """Nothing to load."""

        def analyze(self, text: str, entities: Any, nlp_artifacts: Any) -> Any:  # noqa: ARG002
            explanation = AnalysisExplanation(recognizer="Echo", original_score=score)
            return [RecognizerResult(self.supported_entities[0], 0, 1, score, explanation)]

    return Echo(
        supported_entities=recognizer.supported_entities,
        supported_language=LANGUAGE,
        context=recognizer.context,
        score_thresholds=recognizer.score_thresholds,
    )
