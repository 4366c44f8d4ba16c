"""The bundle of configuration and secrets: collected, sealed, stored, compared, brought back."""
