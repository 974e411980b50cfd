"""How fast it is, beside its peers and the limit: ``make bench``."""
