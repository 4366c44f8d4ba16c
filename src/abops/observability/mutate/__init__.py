"""Rules changed a little, to see whether their cases notice."""
