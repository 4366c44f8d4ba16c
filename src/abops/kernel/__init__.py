"""What every part stands on: errors, time, quantities, files, logs, settings."""
