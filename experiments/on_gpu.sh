#!/usr/bin/env bash
# Ten minutes of a GPU, used to the last second: speeds, trainings, scores and one notebook, all into $OUT.
#
# For a machine that has a GPU, Python with torch, torchvision, accelerate, safetensors, numpy, scikit-image,
# scikit-learn and matplotlib, and no network. Beforehand, where there is one, in the root of the repository:
#
#   python3 -m pip download --no-deps --only-binary=:all: --dest on-gpu/wheels \
#       pooch platformdirs ipython traitlets decorator ipython-pygments-lexers pygments matplotlib-inline \
#       comm stack_data executing asttokens pure_eval prompt_toolkit 'wcwidth<0.3' pexpect ptyprocess
#   python3 experiments/on_gpu_pack.py on-gpu/pack
#
# The first two wheels are needed, the others run the notebook. The second command makes a folder of at most 60 MiB,
# pictures and wheels included: the whole repository with them has more. Bring the folder there, and in it:
#
#   MINUTES=8 OUT=somewhere bash experiments/on_gpu.sh
#
# and back here, for each network that gained (gpu-scores.csv says which):
#
#   unzip somewhere/trained-1.zip -d runs; IMTRANS_RUNS=runs imtrans publish NAME
#
# A training that was cut off has its checkpoint.pt in the archive as well: `imtrans.training.fit` continues it by the
# recipe of on_gpu.gpu_recipe(NAME) with the steps that the checkpoint names.
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
service=
close() {
    [ -z "$service" ] || echo quit | timeout 10 nvidia-cuda-mps-control
    rm -rf "$work"
}
trap close EXIT

# A wheel is an archive whose content can be imported as it is: nothing is installed, pip is not needed.
for wheel in "$carried"/wheels/*.whl; do
    [ -e "$wheel" ] && python3 -m zipfile -e "$wheel" "$work/site"
done
if [ -e "$carried/data.zip" ]; then
    python3 -m zipfile -e "$carried/data.zip" "$work/data"
    export IMTRANS_DATA=$work/data
fi
# With this service several processes compute at the same time; without, they take turns. Where it starts but a GPU
# cannot be reached by it, all goes without.
if [ -z "${CUDA_MPS_PIPE_DIRECTORY:-}" ] && command -v nvidia-cuda-mps-control >/dev/null; then
    export CUDA_MPS_PIPE_DIRECTORY=$work/mps CUDA_MPS_LOG_DIRECTORY=$work/mps-log
    mkdir "$CUDA_MPS_PIPE_DIRECTORY" "$CUDA_MPS_LOG_DIRECTORY"
    if ! { timeout 10 nvidia-cuda-mps-control -d &&
        timeout 60 python3 -c 'import torch; torch.zeros(1, device="cuda").sum().item()'; } >/dev/null 2>&1; then
        echo quit | timeout 10 nvidia-cuda-mps-control >/dev/null 2>&1
        unset CUDA_MPS_PIPE_DIRECTORY CUDA_MPS_LOG_DIRECTORY
    else
        service=started
    fi
fi
export OUT WORK=$work IMTRANS_RUNS=$work/runs PYTHONPATH=$PWD/src:$work/site PYTHONUNBUFFERED=1 MINUTES=${MINUTES:-8}
python3 experiments/on_gpu.py 2>&1 | tee "$OUT/log.txt"
