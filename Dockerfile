# One Parley node. It needs DATABASE_URL and PARLEY_TOKEN_SECRET, and REDIS_URL if there is more than one node.
# Settings: docs/operations.md.

FROM node:24-bookworm-slim AS build
WORKDIR /parley
# Without install scripts: Prisma's would download engines that Parley does not use, and the embedded Postgres, whose script
# links its libraries, is not part of the image.
COPY package.json package-lock.json ./
COPY client/package.json client/
RUN npm ci --ignore-scripts
COPY prisma.config.ts tsconfig.json tsconfig.build.json codegen.ts schema.graphql ./
COPY prisma prisma
COPY scripts scripts
COPY client client
COPY web web
COPY src src
COPY deploy/prune.sh deploy/
RUN npm run build && deploy/prune.sh

FROM node:24-bookworm-slim
WORKDIR /parley
ENV NODE_ENV=production HOST=0.0.0.0 PORT=4000 PARLEY_DATA_DIR=/var/lib/parley
# Files, unless they are in a bucket. Several nodes need a volume here that they share.
RUN mkdir /var/lib/parley && chown node:node /var/lib/parley
COPY --from=build --chown=node:node /parley/package.json ./
COPY --from=build --chown=node:node /parley/node_modules node_modules
COPY --from=build --chown=node:node /parley/dist dist
# Applied at start; Parley finds them beside dist.
COPY --from=build --chown=node:node /parley/prisma/migrations prisma/migrations
COPY --from=build --chown=node:node /parley/prisma/functions prisma/functions
COPY --chown=node:node deploy/is-ready.sh ./
RUN chmod +x dist/commands/parley.js && ln -s /parley/dist/commands/parley.js /usr/local/bin/parley
USER node
EXPOSE 4000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["/parley/is-ready.sh"]
# The flags: docs/operations.md, "The process".
CMD ["node", "--max-semi-space-size=64", "--v8-pool-size=1", "dist/main.js"]
