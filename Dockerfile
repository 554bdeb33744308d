# One image for all services: the docmill command, scheduler, workers, Flower, migrations. Two builds of it:
#   docker build --tag docmill:0.2.0-cpu --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu .
#   docker build --tag docmill:0.2.0-gpu .
# The final stage has no compiler, no package of Debian besides those of the base image, and nothing that installs.

# --- the libraries -----------------------------------------------------------------------------------------------
FROM python:3.11-slim AS libraries

# An additional index for torch. The build on PyPI includes CUDA, several gigabytes. For machines without a GPU,
# https://download.pytorch.org/whl/cpu has a small build of the same version.
ARG TORCH_INDEX=""
# Extras of pyproject.toml. parquet is left out: it needs 170 MB.
ARG EXTRAS="files,cloud,xlsx"

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore

RUN apt-get update -qq \
 && apt-get install -qq --yes --no-install-recommends binutils > /dev/null
WORKDIR /build
COPY constraints.txt pyproject.toml ./
COPY deploy/image deploy/image
RUN pip install --quiet --constraint constraints.txt --upgrade pip \
 && python -m venv --without-pip /opt/docmill \
 && deploy/image/requirements "$EXTRAS" > requirements.txt \
 && pip --python /opt/docmill/bin/python install --quiet --constraint constraints.txt \
    ${TORCH_INDEX:+--extra-index-url $TORCH_INDEX} --requirement requirements.txt \
 && deploy/image/trim /opt/docmill
# The software bill of materials, in CycloneDX: every library with its version and licence.
RUN python -m venv /tools \
 && /tools/bin/pip install --quiet --constraint constraints.txt cyclonedx-bom \
 && /tools/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-format JSON \
    --output-file /opt/docmill/sbom.json /opt/docmill/bin/python

# --- docmill itself, in a folder of its own: an upgrade moves this layer alone -------------------------------------
FROM libraries AS program

COPY README.md LICENSE ./
COPY db db
COPY readers readers
COPY nlp_tasks nlp_tasks
COPY workers workers
COPY scheduler scheduler
COPY docmill docmill
RUN pip --python /opt/docmill/bin/python install --quiet --no-deps --build-constraint constraints.txt \
    --prefix /program .

# --- the image ---------------------------------------------------------------------------------------------------
FROM python:3.11-slim

# Fixed ids, so that files in volumes keep their owner when the image is rebuilt.
RUN groupadd --gid 10001 docmill \
 && useradd --uid 10001 --gid docmill --home-dir /var/lib/docmill --create-home docmill \
 && install --directory --owner docmill --group docmill /models

COPY --from=libraries /opt/docmill /opt/docmill
COPY --from=program /program /opt/docmill
COPY deploy/image/check /opt/docmill/check
ENV PATH=/opt/docmill/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DOCMILL_HOME=/var/lib/docmill \
    DOCMILL_MODELS_DIR=/models

USER 10001:10001
WORKDIR /var/lib/docmill
RUN python /opt/docmill/check
CMD ["docmill", "--help"]
