# What counts in a slice, beside the enclave sidecar. Built from the root of the repository: docker build -f images/scs-executor.Dockerfile -t scs-executor .
FROM node:24.21.0-slim AS build
WORKDIR /source
COPY . .
RUN npm ci --ignore-scripts
RUN node images/lay-out.ts scs-executor /image

FROM node:24.21.0-slim
LABEL org.opencontainers.image.title="scs-executor" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image/ /
COPY LICENSE NOTICE /app/
ENV NODE_ENV=production
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/node", "/app/main.mjs"]
