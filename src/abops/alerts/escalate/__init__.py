"""Who is woken next, and when, as long as nobody takes care."""
