"""How much memory 48 megapixels take: 8,000 × 6,000 pixels of output through ESPCN and SRCNN, in tiles.

    python benchmarks/memory.py     # a minute; each network in a process of its own

Prints what a process took at most beyond its picture and its result, in MiB, and the seconds. The budget is 200 MiB: a
test asks on smaller pictures that it does not grow with them, this asks for the number. Nothing here is a test.
"""

import subprocess
import sys

BUDGET = 200
SCRIPT = """
import resource, time, torch
from imtrans import restore, zoo
model, peak = zoo.load("{name}"), lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
restore.super_resolve(model, torch.rand(1, 3, 64, 64), {scale}, tile=256)  # what the libraries load, they have loaded
picture = torch.rand(1, 3, 6000 // {scale}, 8000 // {scale})
before, begun = peak(), time.perf_counter()
result = restore.super_resolve(model, picture, {scale}, tile=256)
seconds = time.perf_counter() - begun
print(peak() - before - result.numel() * result.element_size() // 2**20, result.shape[-2] * result.shape[-1], seconds)
"""


def main() -> None:
    """Print a line per network; fail if one leaves the budget."""
    for name, scale in (("espcn-x3", 3), ("srcnn-x3", 3)):
        script = SCRIPT.format(name=name, scale=scale)
        out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
        beyond, pixels, seconds = int(out[0]), int(out[1]), float(out[2])
        print(f"{name}: {pixels / 1e6:.1f} megapixels in {seconds:.1f} s, {beyond} MiB beyond picture and result")
        if beyond > BUDGET:
            sys.exit(f"{name}: more than {BUDGET} MiB")


if __name__ == "__main__":
    main()
