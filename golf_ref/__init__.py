"""The parameter-golf record stack, written from scratch to be read in the order of the computation."""
