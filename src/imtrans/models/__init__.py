"""One file per paper. Each network declares its input in three attributes: ``channels``, ``upsamples``, ``scales``."""
