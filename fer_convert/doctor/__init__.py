"""``ferconv doctor``: what is here, what works, and what cannot run; all of it tried."""
