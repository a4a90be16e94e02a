"""Reference implementations of thirteen papers on image transformation, and the course that uses them.

A module imports only from floors below its own, or from its own folder. The floors, from the ground up: ``assets``
``hardware`` · ``images`` ``color`` ``resize`` · ``degrade`` ``models`` ``html`` ``video`` · ``losses`` ``metrics``
``muon`` ``data`` · ``training`` ``protocols`` ``judgements`` · ``recipes`` · ``zoo`` · ``restore`` ``stylize``
``colorize`` ``prior`` ``published`` ``experiments`` · ``evaluation`` ``figures`` ``widgets`` ``exercises`` ``export`` ·
``suite`` · ``runs`` · ``cli``
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("imtrans")
except PackageNotFoundError:  # the sources on PYTHONPATH, nothing installed
    __version__ = "0+source"
