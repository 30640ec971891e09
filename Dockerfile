# Broker, gateway, hub and the simulated house in one image; docker-compose.yml says what runs.
# `make test-image` builds and runs it without a Docker engine; docs/operator/docker.md says how.
ARG BASE=debian:trixie-slim
FROM ${BASE}

# Debian's mosquitto is the broker, so that one image is enough and nothing else is fetched.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates mosquitto python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*
RUN useradd --system --create-home --home-dir /var/lib/perron --uid 990 perron
WORKDIR /opt/perron
RUN python3 -m venv venv
ENV PATH=/opt/perron/venv/bin:$PATH PYTHONUNBUFFERED=1
COPY requirements-run.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements-run.txt
COPY pyproject.toml setup.py README.md LICENSE ./
COPY devices ./devices
COPY gateway ./gateway
COPY config/home.yaml config/house.yaml config/delivery.yaml config/
COPY config/systemd config/systemd
RUN pip install --no-cache-dir --disable-pip-version-check --no-deps .

WORKDIR /perron
VOLUME /perron/box
ENTRYPOINT ["perron"]
CMD ["setup", "/perron/box", "--yes", "--no-service"]
