#!/usr/bin/env bash
# Makes the environments of the rivals in the folder $1; see benchmarks/README.md.
set -euo pipefail
folder=${1:?usage: make_rivals.sh FOLDER}
mkdir -p "$folder"

git clone --quiet https://github.com/google/youtube-8m "$folder/youtube-8m"
git -C "$folder/youtube-8m" checkout --quiet e6f6bf6
python3.7 -m venv "$folder/starter"
"$folder/starter/bin/pip" install --quiet 'tensorflow==1.15.5' 'numpy<1.20' 'protobuf<3.21'

python3.11 -m venv "$folder/garden"
"$folder/garden/bin/pip" install --quiet 'tf-models-official==2.15.0' 'tensorflow==2.15.1'
