#!/bin/sh
# Removes from a folder of installed packages what nothing imports at run time: the packages' own
# tests, C headers and sources, source maps, and pyarrow's copies of libraries under further names.
# Arguments: the folder, and patterns of further files to remove. See docs/containers.md.
set -eu
site=$1
shift
find "$site" -type d -name tests -path "$site/*/*" \
    \( -path '*/pyarrow/*' -o -path '*/numpy/*' -o -path '*/pandas/*' -o -path '*/scipy/*' \
       -o -path '*/sklearn/*' \) -prune -exec rm -rf {} +
find "$site" -type f \( -name '*.pxd' -o -name '*.pxi' -o -name '*.pyx' -o -name '*.map' \) -delete
rm -rf "$site/pyarrow/include" "$site/pyarrow/src" "$site"/pyarrow/libarrow_python*.so \
    "$site"/pyarrow/libarrow_python*.so.*.*.* "$site/bin"
for pattern in "$@"; do
    find "$site" -type f -path "$site/$pattern" -delete
done
