#!/bin/sh
# Makes every golden again. Usage: ./make_all.sh [python] [--out folder]
set -e
cd "$(dirname "$0")"
python=${1:-python3}
[ $# -gt 0 ] && shift
for script in make_*.py; do
  echo "$script"
  "$python" "$script" "$@"
done
