# One image for all services: the docmill command, scheduler, workers, Flower, migrations.
FROM python:3.11-slim

# An additional index for torch. The build on PyPI includes CUDA, several gigabytes. For machines without a GPU,
# https://download.pytorch.org/whl/cpu has a small build of the same version.
ARG TORCH_INDEX=""

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore

# Fixed ids, so that files in volumes keep their owner when the image is rebuilt.
RUN groupadd --gid 10001 docmill \
 && useradd --uid 10001 --gid docmill --home-dir /var/lib/docmill --create-home docmill \
 && install --directory --owner docmill --group docmill /models

WORKDIR /opt/docmill
# Dependencies first, so that their layer is cached while docmill itself changes.
COPY constraints.txt pyproject.toml ./
RUN python -c "import tomllib; project = tomllib.load(open('pyproject.toml', 'rb'))['project']; print(*project['dependencies'], *project['optional-dependencies']['files'], sep='\n')" > requirements.txt \
 && pip install --quiet --constraint constraints.txt --upgrade pip \
 && pip install --quiet --constraint constraints.txt ${TORCH_INDEX:+--extra-index-url $TORCH_INDEX} --requirement requirements.txt hatchling editables

COPY README.md ./
COPY db db
COPY readers readers
COPY nlp_tasks nlp_tasks
COPY workers workers
COPY scheduler scheduler
COPY docmill docmill
RUN pip install --quiet --no-deps --no-build-isolation .

USER 10001:10001
WORKDIR /var/lib/docmill
ENV DOCMILL_HOME=/var/lib/docmill \
    DOCMILL_MODELS_DIR=/models
CMD ["docmill", "--help"]
