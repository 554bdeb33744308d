# One image for every service: the docmill command, the scheduler, the workers, Flower, the migrations.
FROM python:3.11-slim

# Where else pip looks for torch. PyPI's build brings CUDA, several gigabytes of it; for machines without a GPU
# https://download.pytorch.org/whl/cpu has a small one of the same version.
ARG TORCH_INDEX=""

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore

# Fixed numbers, so that a volume keeps its owner when the image is built anew.
RUN groupadd --gid 10001 docmill \
 && useradd --uid 10001 --gid docmill --home-dir /var/lib/docmill --create-home docmill \
 && install --directory --owner docmill --group docmill /models

WORKDIR /opt/docmill
# The dependencies first: they stay in their layer while docmill itself changes.
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
