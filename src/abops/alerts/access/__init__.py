"""Who may do what, and how they show who they are. Pure: no store, no clock, no network."""
