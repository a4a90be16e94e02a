"""Reference implementations of thirteen papers on image transformation, and the course that uses them.

Rooms, from the ground floor up: ``images`` ``color`` ``resize`` ``assets`` · ``degrade`` ``models`` ``html`` ·
``losses`` ``metrics`` ``muon`` ``data`` · ``training`` · ``recipes`` ``zoo`` · ``restore`` ``published`` ``measured`` ·
``evaluation`` ``figures`` ``widgets`` ``exercises`` · ``cli``. A room imports only from floors below it.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("imtrans")
except PackageNotFoundError:  # the sources on PYTHONPATH, nothing installed
    __version__ = "0+source"
