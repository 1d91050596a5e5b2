# A sandbox with pretended guests:
#   docker build -t minicloud . && docker run --rm --name minicloud -p 8774:8774 minicloud
#   docker exec minicloud cat /data/clouds.yaml > clouds.yaml
FROM node:26-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN apt-get update && apt-get install -y --no-install-recommends libatomic1 && rm -rf /var/lib/apt/lists/*
RUN npm run build && mkdir /data

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends libatomic1 libstdc++6 && rm -rf /var/lib/apt/lists/*
LABEL org.opencontainers.image.title="minicloud" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /src/dist/minicloud /usr/local/bin/minicloud
COPY --from=build /src/dist/npm/LICENSE /src/dist/npm/licenses.txt /usr/share/doc/minicloud/
COPY --from=build --chown=65534:65534 /data /data
USER 65534:65534
ENV HOME=/data
VOLUME /data
EXPOSE 8774
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8774; printf 'GET /readyz HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3; grep -qx ready <&3"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/minicloud"]
CMD ["serve", "--driver", "fake", "--host", "0.0.0.0", "--data-dir", "/data"]
