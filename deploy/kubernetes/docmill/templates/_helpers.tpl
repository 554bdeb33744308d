{{- define "docmill.name" -}}
{{- if contains "docmill" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-docmill" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "docmill.selector" -}}
app.kubernetes.io/name: docmill
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "docmill.labels" -}}
{{ include "docmill.selector" . }}
app.kubernetes.io/version: {{ .root.Values.image.tag | default .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{/* metadata of an object: root, part, and what follows "docmill" in its name. */}}
{{- define "docmill.metadata" -}}
name: {{ include "docmill.name" .root }}-{{ .suffix | default .part }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "docmill.labels" . | nindent 2 }}
{{- end }}

{{- define "docmill.podMetadata" -}}
labels:
  {{- include "docmill.labels" . | nindent 2 }}
  {{- with .root.Values.podLabels }}{{ toYaml . | nindent 2 }}{{ end }}
{{- $annotations := deepCopy .root.Values.podAnnotations }}
{{- if and .measured .root.Values.metrics.enabled (not .root.Values.metrics.podMonitor) }}
{{- $_ := set $annotations "prometheus.io/scrape" "true" }}
{{- $_ := set $annotations "prometheus.io/port" (.root.Values.metrics.port | toString) }}
{{- end }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "docmill.image" -}}
{{- $values := .root.Values.image -}}
{{- $repository := required "set image.repository: where the images of docs/deployment.md are" $values.repository -}}
image: "{{ $repository }}:{{ $values.tag | default .root.Chart.AppVersion }}-{{ .flavour }}"
imagePullPolicy: {{ $values.pullPolicy }}
{{- end }}

{{/* A running batch may take DOCMILL_GRACE_SECONDS; what follows it takes a few seconds. */}}
{{- define "docmill.stopSeconds" -}}
{{ add (ceil (float64 .Values.settings.DOCMILL_GRACE_SECONDS)) 30 }}
{{- end }}

{{/* Helm reads whole numbers as floats and would print the large ones as 1e+06. */}}
{{- define "docmill.setting" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ printf "%.0f" . }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{/* The environment of every container. Only names of keys are here, never passwords. */}}
{{- define "docmill.env" -}}
{{- $secret := required "set secret: the name of the Secret with the passwords" .root.Values.secret -}}
- name: DOCMILL_DATABASE_URL
  value: {{ required "set database.url: postgresql://docmill@HOST:5432/docmill" .root.Values.database.url | quote }}
- name: PGPASSWORD
  valueFrom: { secretKeyRef: { name: {{ $secret }}, key: store-password } }
- name: REDIS_PASSWORD
  valueFrom: { secretKeyRef: { name: {{ $secret }}, key: redis-password } }
- name: DOCMILL_REDIS_URL
  value: {{ required "set redis.url: rediss://docmill:$(REDIS_PASSWORD)@HOST:6379/0" .root.Values.redis.url | quote }}
{{- if .root.Values.tls.caSecret }}
- name: PGSSLROOTCERT
  value: /etc/docmill/tls/ca.crt
{{- end }}
{{- range $name, $value := .root.Values.settings }}
- name: {{ $name }}
  value: {{ include "docmill.setting" $value | quote }}
{{- end }}
{{- with .root.Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Where schedulers and workers serve their metrics. */}}
{{- define "docmill.measuredEnv" -}}
{{- if .Values.metrics.enabled }}
- name: DOCMILL_METRICS_HOST
  value: 0.0.0.0
- name: DOCMILL_METRICS_PORT
  value: {{ .Values.metrics.port | quote }}
{{- end }}
{{- end }}

{{- define "docmill.measuredPorts" -}}
{{- if .Values.metrics.enabled }}
ports:
  - { name: metrics, containerPort: {{ .Values.metrics.port }} }
{{- end }}
{{- end }}

{{/* What every pod has: a plain user, and an init process, which reaps the processes that a worker leaves. */}}
{{- define "docmill.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
shareProcessNamespace: true
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  # A large folder of models is not walked at each start.
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "docmill.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end }}

{{/* What every container may write, in the pod's own folders. DOCMILL_HOME keeps crash reports while the pod lives, so that a
restarted worker can requeue what it held. */}}
{{- define "docmill.ownMounts" -}}
- { name: home, mountPath: /var/lib/docmill }
- { name: tmp, mountPath: /tmp }
{{- if .Values.tls.caSecret }}
- { name: tls, mountPath: /etc/docmill/tls, readOnly: true }
{{- end }}
{{- end }}

{{- define "docmill.ownVolumes" -}}
- name: home
  emptyDir: { sizeLimit: 1Gi }
- name: tmp
  emptyDir: { sizeLimit: 2Gi }
{{- if .Values.tls.caSecret }}
- name: tls
  secret: { secretName: {{ .Values.tls.caSecret }}, items: [{ key: ca.crt, path: ca.crt }] }
{{- end }}
{{- end }}

{{/* What schedulers and workers share besides. */}}
{{- define "docmill.sharedMounts" -}}
- { name: models, mountPath: /models }
{{- if .Values.documents.existingClaim }}
- { name: documents, mountPath: /documents, readOnly: true }
{{- end }}
{{- end }}

{{- define "docmill.modelsVolume" -}}
- name: models
  persistentVolumeClaim:
    claimName: {{ .Values.models.existingClaim | default (printf "%s-models" (include "docmill.name" .)) }}
{{- end }}

{{- define "docmill.sharedVolumes" -}}
{{ include "docmill.modelsVolume" . }}
{{- if .Values.documents.existingClaim }}
- name: documents
  persistentVolumeClaim: { claimName: {{ .Values.documents.existingClaim }}, readOnly: true }
{{- end }}
{{- end }}

{{/* `docmill alive` looks at the pod's own process alone: a pod is not restarted because Redis is down. */}}
{{- define "docmill.probes" -}}
startupProbe:
  exec: { command: [docmill, alive, {{ . }}] }
  periodSeconds: 10
  timeoutSeconds: 20
  # PostgreSQL may be away for ten minutes while a pod starts.
  failureThreshold: 60
livenessProbe:
  exec: { command: [docmill, alive, {{ . }}] }
  periodSeconds: 30
  timeoutSeconds: 20
  failureThreshold: 3
{{- end }}

{{/* Pods of a part are spread over nodes where that is possible. */}}
{{- define "docmill.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "docmill.selector" . | nindent 8 }}
{{- end }}

{{/* The values of one worker, over those of workerDefaults. */}}
{{- define "docmill.worker" -}}
{{ mergeOverwrite (deepCopy .root.Values.workerDefaults) (deepCopy .worker) | toYaml }}
{{- end }}
