# The embedded, Aptos-compatible devnet. Built from the root of the repository: docker build -f images/scs-devnet.Dockerfile -t scs-devnet .
# DEVELOPMENT AND TESTS ONLY: it holds libmovevm of @initia/builder.js under the Business Source License 1.1 (see NOTICE). Never run it in
# production; no other image of ours contains it.
FROM node:24.21.0-slim AS build
WORKDIR /source
COPY . .
RUN npm ci --ignore-scripts
RUN node images/lay-out.ts scs-devnet /image

FROM node:24.21.0-slim
LABEL org.opencontainers.image.title="scs-devnet" org.opencontainers.image.licenses="Apache-2.0 AND BUSL-1.1" \
      org.opencontainers.image.description="Development and tests only: contains libmovevm under BUSL-1.1, non-production use."
COPY --from=build /image/ /
COPY LICENSE NOTICE /app/
RUN chown 65532:65532 /var/lib/devnet
ENV NODE_ENV=production SCS_MOVE_LIBRARY_DIR=/app/library SCS_DEVNET_FRAMEWORK=/app/framework.json
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/node", "/app/main.mjs"]
