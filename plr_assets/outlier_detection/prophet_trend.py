"""Prophet's piecewise linear trend through each recording, and the samples far outside its uncertainty interval.

Belongs here: the library `prophet` as a detector. (The module is not called `prophet`: a file of that name would be the
library's namesake.) Does not belong here: forecasting, seasons or holidays: within a minute Prophet switches its
seasons off by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from plr_assets.outlier_detection.thresholds import ThresholdDetector
from plr_assets.recordings.table import Recordings

# Prophet needs dates. Only differences between them enter the model.
_FIRST_SAMPLE = "2000-01-01"
# A line through two points leaves no residual.
_FEWEST_SAMPLES = 3


@dataclass(eq=False, kw_only=True)
class ProphetTrend(ThresholdDetector):
    """Distance from Prophet's trend, in widths of its uncertainty interval: |y - yhat| / (yhat_upper - yhat_lower).

    The model's other settings are the library's defaults: up to 25 changes of slope in the first 80 % of the recording,
    an interval of 80 %. Dropouts are left out of the fit. One recording of 1981 samples takes 0.3 s, most of it Stan's.

    The interval is exact, not sampled. Within the recording the trend is given, so Prophet's interval is that of its
    normal noise and equally wide everywhere; the library estimates it at each sample from 1000 random draws, which
    makes its width vary by 3 % (standard deviation) for no reason and takes as long as the fit. Nothing here is random.

    A recording of one repeated amplitude, or with fewer than 3 samples, scores 0 everywhere.
    """

    changepoint_prior_scale: float = 0.1
    interval_width: float = 0.8
    uncertainty_factor: float = 1.5

    @property
    def declared_threshold(self) -> float:
        return float(self.uncertainty_factor)

    def _fit(self, development: Recordings) -> None:  # noqa: ARG002 - only the threshold is learned
        self._require("changepoint_prior_scale", self.changepoint_prior_scale > 0, "must be above 0")
        self._require("interval_width", 0 < self.interval_width < 1, "must be in (0, 1)")
        self._require("uncertainty_factor", self.uncertainty_factor > 0, "must be above 0")

    def _score(self, signal: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64]:
        at = np.flatnonzero(~np.isnan(signal))
        amplitude = signal[at]
        scores = np.zeros(signal.size)
        if at.size < _FEWEST_SAMPLES or np.ptp(amplitude) == 0:
            return scores
        trend, noise = self._fit_trend(at / rate_hz, amplitude)
        # from the lower to the upper end of the interval: 2.56 noise standard deviations for 80 %
        width = 2 * NormalDist().inv_cdf((1 + self.interval_width) / 2) * noise
        scores[at] = np.abs(amplitude - trend) / width
        return scores

    def _fit_trend(self, time_s: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        """Prophet's trend at `time_s`, and the standard deviation of its noise. Raises ArithmeticError."""
        import pandas as pd

        with _quiet():
            from prophet import Prophet

            model = Prophet(changepoint_prior_scale=self.changepoint_prior_scale, uncertainty_samples=0)
            dates = pd.Timestamp(_FIRST_SAMPLE) + pd.to_timedelta(time_s, unit="s")
            try:
                model.fit(pd.DataFrame({"ds": dates, "y": values}))
            except RuntimeError as error:
                raise ArithmeticError(f"Stan found no optimum ({error})") from error
            finally:
                # 50 kB a recording below the temporary folder, else there until the process ends
                if model.stan_backend is not None:
                    model.stan_backend.cleanup()
            trend = model.predict()["yhat"].to_numpy()
        return trend, float(model.params["sigma_obs"][0, 0] * model.y_scale)


@contextmanager
def _quiet() -> Iterator[None]:
    """Prophet and Stan report each fit, and Prophet that plotly is not there, though nobody plots."""
    # disabled rather than set to a level, because importing prophet sets its own
    loggers = [logging.getLogger(name) for name in ("prophet", "prophet.plot", "prophet.models", "cmdstanpy")]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        yield
    finally:
        for logger, was in zip(loggers, before, strict=True):
            logger.disabled = was
