#!/usr/bin/env bash
# Ten minutes of a GPU, used to the last second: speeds, trainings, scores and one notebook, all into $OUT.
#
# For a machine that has a GPU, Python with torch, torchvision, accelerate, safetensors, numpy, scikit-image,
# scikit-learn and matplotlib, and no network. Beforehand, where there is one, in the root of the repository:
#
#   imtrans data pack BSD200 BSD500_test Set5 on-gpu/data.zip
#   python3 -m pip download --no-deps --only-binary=:all: --dest on-gpu/wheels \
#       pooch platformdirs ipython traitlets decorator ipython-pygments-lexers pygments matplotlib-inline \
#       comm stack_data executing asttokens pure_eval prompt_toolkit 'wcwidth<0.3' pexpect ptyprocess
#
# The first two wheels are needed, the others run the notebook. Repository, pictures and wheels have about 60 MiB;
# without BSD200, which halves the training pictures, 14 MiB less. Then, there:
#
#   MINUTES=8 OUT=somewhere bash experiments/on_gpu.sh
#
# and back here, for each network that gained (gpu-scores.csv says which):
#
#   unzip somewhere/trained-1.zip -d runs; IMTRANS_RUNS=runs imtrans publish NAME
#
# MINUTES   All of it ends after so many (8).
# OUT       The folder for what comes out, at most 8 files of 16 MiB each (on-gpu/out).
# CARRIED   The folder with data.zip and wheels (on-gpu).
# NETWORKS  Names to train, the most valuable first, in place of the list in on_gpu.py.
# NOTEBOOK  The notebook to run, or none (01-srcnn, without a GPU none).
#
# Without a GPU it tries itself out: MINUTES=1 trains the smallest network for a few seconds.
set -u -o pipefail
cd "$(dirname "$0")/.."
OUT=${OUT:-on-gpu/out}
mkdir -p "$OUT"
OUT=$(cd "$OUT" && pwd)
carried=${CARRIED:-on-gpu}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A wheel is an archive whose content can be imported as it is: nothing is installed, pip is not needed.
for wheel in "$carried"/wheels/*.whl; do
    [ -e "$wheel" ] && python3 -m zipfile -e "$wheel" "$work/site"
done
if [ -e "$carried/data.zip" ]; then
    python3 -m zipfile -e "$carried/data.zip" "$work/data"
    export IMTRANS_DATA=$work/data
fi
export OUT WORK=$work IMTRANS_RUNS=$work/runs PYTHONPATH=src:$work/site PYTHONUNBUFFERED=1 MINUTES=${MINUTES:-8}
python3 experiments/on_gpu.py 2>&1 | tee "$OUT/log.txt"
