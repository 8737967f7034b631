FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN ["npm", "ci"]
COPY tsconfig.json tsconfig.build.json rolldown.config.ts ./
COPY console console
COPY migrations migrations
COPY src src
RUN ["npm", "run", "build"]
RUN ["npm", "prune", "--omit=dev"]

FROM node:24-slim
RUN ["apt-get", "update"]
RUN ["apt-get", "install", "-y", "--no-install-recommends", "tini", "ffmpeg"]
WORKDIR /app
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json ./
RUN ["install", "-d", "-o", "node", "-g", "node", "-m", "0700", "/data"]
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 DATA_DIR=/data
VOLUME /data
EXPOSE 3000
USER node
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/healthz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# The embedded PostgreSQL has children of its own, which somebody must reap.
ENTRYPOINT ["/usr/bin/tini", "--"]
CMD ["node", "--enable-source-maps", "--max-semi-space-size=4", "--heap-growing-percent=50", "--expose-gc", "dist/main.js"]
