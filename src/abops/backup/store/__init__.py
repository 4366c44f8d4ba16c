"""The catalog of what was made, checked, restored; the only place here that speaks SQL."""
