"""From what a source sends to events with an identity; pure."""
