"""Whether a board opens in time: a made-up day of real series, and the judgement."""
