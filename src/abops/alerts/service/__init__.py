"""Strings the steps together: intake, incidents, delivery."""

from abops.alerts.service.run import AlertService

__all__ = ["AlertService"]
