"""One file per paper. Networks that restore pictures declare their input in ``channels``, ``upsamples``, ``scales``."""
