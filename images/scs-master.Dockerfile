# One of the three masters. Built from the root of the repository: docker build -f images/scs-master.Dockerfile -t scs-master .
FROM node:24.21.0-slim AS build
WORKDIR /source
COPY . .
RUN npm ci --ignore-scripts
RUN node images/lay-out.ts scs-master /image

FROM node:24.21.0-slim
LABEL org.opencontainers.image.title="scs-master" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image/ /
COPY LICENSE NOTICE /app/
RUN chown 65532:65532 /var/lib/scs
ENV NODE_ENV=production
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/node", "/app/main.mjs"]
