# A Vault: the Data Sovereignty node of an enterprise. Built from the root of the repository: docker build -f images/scs-vault.Dockerfile -t scs-vault .
FROM node:24.21.0-slim AS build
# DuckDB's httpfs extension comes from the Python package index; DuckDB checks its signature when it loads it.
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-pip && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN npm ci --ignore-scripts
RUN node images/lay-out.ts scs-vault /image

FROM node:24.21.0-slim
LABEL org.opencontainers.image.title="scs-vault" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image/ /
COPY LICENSE NOTICE /app/
RUN chown 65532:65532 /var/lib/scs
ENV NODE_ENV=production
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/node", "/app/main.mjs"]
