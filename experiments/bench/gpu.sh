#!/usr/bin/env bash
# What one accelerator does, in ten minutes at most: tests, benchmark table with width 10⁷, and one
# panel at the published scale.
#
#   python3 -m uv run --extra gpu --extra test experiments/bench/gpu.sh out/gpu
#
# Writes OUT/steps.tsv (step, seconds, exit status; 124 where its time was over), the output of each
# step as OUT/STEP.txt, OUT/bench.json and OUT/figures. JAX_PLATFORMS is cuda unless set. SMALL=1
# takes small sizes, to see that the script works: JAX_PLATFORMS=cpu SMALL=1 experiments/bench/gpu.sh
set -uo pipefail
cd "$(dirname "$0")/../.."
out=${1:-out/gpu}
export JAX_PLATFORMS=${JAX_PLATFORMS:-cuda}
mkdir -p "$out"
printf 'step\tseconds\tstatus\n' > "$out/steps.tsv"
worst=0

step() {  # NAME SECONDS COMMAND…
    local name=$1 limit=$2 start=$SECONDS status=0
    shift 2
    timeout "$limit" "$@" > "$out/$name.txt" 2>&1 || status=$?
    printf '%s\t%s\t%s\n' "$name" $((SECONDS - start)) "$status" | tee -a "$out/steps.tsv"
    [ "$status" -eq 0 ] || worst=1
}

tests=(tests/networks tests/verification tests/infinite_width/test_gaussian.py)
bench=(throughput width)
python -c 'import torch' 2> /dev/null && bench+=(cell cell-high-dimension map)
figure=(--preset paper)
if [ -n "${SMALL:-}" ]; then
    tests=(tests/networks/test_schedule.py) bench=(throughput --quick)
    figure=(--preset quick --set draws=2 --set widths=16 --set grid=21)
fi

step machine 60 python -c '
import json
from experiments.bench import timing
from experiments.machine import environment
environment.configure("float32")
print(json.dumps(timing.machine() | environment.describe(), indent=1))'
step tests 200 python -m pytest -q -n 0 "${tests[@]}"
step bench 200 python -m widetheory bench "${bench[@]}" --out "$out"
step figure 140 python -m widetheory figure lazy-map "${figure[@]}" --out "$out/figures"
exit "$worst"
