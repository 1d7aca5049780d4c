from __future__ import annotations

import pickle

from mycanvas.errors import MissingExtra


def test_a_missing_extra_reaches_the_user_from_a_worker_process() -> None:
    error = MissingExtra("torch", extra="models")

    again = pickle.loads(pickle.dumps(error))  # noqa: S301  # what a process pool does

    assert isinstance(again, MissingExtra)
    assert str(again) == str(error) == "torch is not installed; run: pip install 'mycanvas[models]'"
