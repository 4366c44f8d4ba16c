"""The schedule as a process: who leads, what is known, what is carried out, what is published."""
