# An enterprise's agent. Built from the root of the repository: docker build -f images/scs-agent.Dockerfile -t scs-agent .
FROM node:24.21.0-slim AS build
WORKDIR /source
COPY . .
RUN npm ci --ignore-scripts
RUN node images/lay-out.ts scs-agent /image

FROM node:24.21.0-slim
LABEL org.opencontainers.image.title="scs-agent" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image/ /
COPY LICENSE NOTICE /app/
ENV NODE_ENV=production
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/node", "/app/main.mjs"]
