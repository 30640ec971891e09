# The gateway (and, with another command, the simulated house) in one image.
# Checked here without a Docker engine: see docs/operator/docker.md for what was and what was not tried.
FROM python:3.13-slim-trixie

RUN useradd --system --create-home --home-dir /var/lib/perron --uid 990 perron
WORKDIR /opt/perron
COPY requirements.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt
COPY pyproject.toml setup.py README.md LICENSE ./
COPY devices ./devices
COPY gateway ./gateway
RUN pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation .

USER perron
WORKDIR /perron
ENTRYPOINT ["perron"]
CMD ["run", "--home", "/perron/config/home.yaml"]
