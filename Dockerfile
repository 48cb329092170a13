# syntax=docker/dockerfile:1
# One image for both roles: what MAYFLY_API and MAYFLY_WORKER switch off decides (docs/deploy.md). The tags are exact; put your
# registry's digests behind them (`node:24.21.0-bookworm-slim@sha256:…`) where you build for others.
FROM node:24.21.0-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY . .
# Without the packages of development, and without the embedded PostgreSQL, which production refuses.
RUN npm run prepare && npm prune --omit=dev --omit=optional --ignore-scripts

FROM node:24.21.0-bookworm-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8420
# Bounds of V8's heap, as `npm start` has them (docs/deploy.md). Replace the variable for a larger catalog.
ENV NODE_OPTIONS="--max-semi-space-size=8 --max-old-space-size=512"
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY --from=build /app/prisma/migrations ./prisma/migrations
RUN ln -s /app/dist/apps/cli/apps/cli/src/main.js /usr/local/bin/mayfly
# Node's compile cache belongs to a Node version, a user and its V8 options: it is made with those of the start. Nobody may
# change it later.
RUN install -d -o 1000 -g 1000 dist/broker/compile-cache \
  && setpriv --reuid=1000 --regid=1000 --clear-groups node --enable-source-maps dist/broker/warm.mjs >/dev/null \
  && chown -R 0:0 dist/broker/compile-cache && chmod -R a+rX dist/broker/compile-cache
# A volume for the epoch (MAYFLY_EPOCH_URL) takes this owner over.
RUN install -d -o 1000 -g 1000 /var/lib/mayfly
# The user `node` of the image. As a number, orchestrators can tell that it is not root.
USER 1000:1000
EXPOSE 8420
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --start-interval=1s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/readyz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "--enable-source-maps", "dist/broker/start.mjs"]
