# The base, by version and digest; `--build-arg PYTHON_IMAGE=...` takes a mirror's or one of your own (Python 3.11 or newer).
ARG PYTHON_IMAGE=docker.io/library/python:3.13.15-slim-trixie@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

FROM ${PYTHON_IMAGE} AS install
WORKDIR /src
# The tools that install and build are locked too. The optional secret `pip` is a pip.conf, for who builds behind a
# proxy or a package mirror.
COPY scripts/venv scripts/uv.py scripts/
COPY requirements.lock requirements-dev.lock ./
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    scripts/venv python3 /tools
RUN python3 -m venv --without-pip /opt/prepaid-exporter
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    /tools/bin/python scripts/uv.py pip sync --python /opt/prepaid-exporter/bin/python \
        --no-cache --require-hashes --no-build requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY exporter exporter/
COPY grafana grafana/
COPY systemd systemd/
# The check refuses a lock that no longer fits the program. The byte code is never compared with the source again, so
# that a read-only root starts as fast as any; the lexers that a library of the tables brings are never run.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    /tools/bin/python scripts/uv.py pip install --python /opt/prepaid-exporter/bin/python \
        --no-cache --no-deps --build-constraints requirements-dev.lock --require-build-hashes . \
    && /tools/bin/uv pip check --python /opt/prepaid-exporter/bin/python \
    && python3 -m compileall -q -x /pygments/lexers/ --invalidation-mode unchecked-hash /opt/prepaid-exporter/lib

FROM ${PYTHON_IMAGE}
ARG VERSION=development
ARG REVISION=unknown
LABEL org.opencontainers.image.title="prepaid-exporter" \
      org.opencontainers.image.description="Prometheus exporter for prepaid balances" \
      org.opencontainers.image.source="https://github.com/prepaid-exporter/prepaid-exporter" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=install /opt/prepaid-exporter /opt/prepaid-exporter
ENV PATH=/opt/prepaid-exporter/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 65532:65532
EXPOSE 10710
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/prepaid-exporter/bin/prepaid-exporter"]
CMD ["serve", "--config.file=/etc/prepaid-exporter/prepaid.yml"]
