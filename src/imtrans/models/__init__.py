"""One file a paper. Networks say what they eat in three attributes: ``channels``, ``upsamples``, ``scales``."""
