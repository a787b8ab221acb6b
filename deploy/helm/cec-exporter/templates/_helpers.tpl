{{- define "cec-exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The name of all objects: the release's, with the chart's unless that is in it. Short enough for
     the ordinal and the hash that a StatefulSet adds. */}}
{{- define "cec-exporter.fullname" -}}
{{- $name := include "cec-exporter.name" . }}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- default $full .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "cec-exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "cec-exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "cec-exporter.labels" -}}
{{ include "cec-exporter.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "cec-exporter.image" -}}
{{- $repository := required "image.repository is needed: from where the cluster pulls the image that deploy/docker builds" .Values.image.repository }}
{{- if .Values.image.digest }}
{{- printf "%s@%s" $repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" $repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/* The ConfigMap with cec_exporter.yml; nothing for the demonstration. */}}
{{- define "cec-exporter.configMap" -}}
{{- $given := compact (list (ternary "demo" "" .Values.demo) .Values.existingConfigMap (ternary "config" "" (not (empty .Values.config)))) }}
{{- if ne (len $given) 1 }}
{{- fail "exactly one is needed of config (the exporter's cec_exporter.yml), existingConfigMap (one with such a file) and demo=true (simulated calls)" }}
{{- end }}
{{- $web := .Values.web }}
{{- if and .Values.demo (or $web.existingSecret $web.routePrefix (ne $web.telemetryPath "/metrics")) }}
{{- fail "demo=true serves /metrics without TLS, password or prefix: web.existingSecret, web.routePrefix and web.telemetryPath do not go with it" }}
{{- end }}
{{- if not .Values.demo }}
{{- default (include "cec-exporter.fullname" .) .Values.existingConfigMap }}
{{- end }}
{{- end }}

{{/* How a probe asks, of the root and a path. With TLS or a password the probe runs inside the container: the kubelet
     has neither password nor certificate to show. */}}
{{- define "cec-exporter.probe" -}}
{{- if (index . 0).Values.web.existingSecret -}}
exec:
  command: [/bin/cec_exporter, healthcheck, "--web.listen-address=:{{ (index . 0).Values.web.port }}"]
{{- else -}}
httpGet:
  path: {{ (index . 0).Values.web.routePrefix }}{{ index . 1 }}
  port: http
{{- end }}
{{- end }}

{{/* Where rules, monitor and dashboards go: another namespace, or the release's. Of two releases in it the
     names differ by the namespace of the release. */}}
{{- define "cec-exporter.elsewhere" -}}
{{- $namespace := index . 1 }}
{{- $name := include "cec-exporter.fullname" (index . 0) }}
{{- if and $namespace (ne $namespace (index . 0).Release.Namespace) }}
{{- printf "%s-%s" (index . 0).Release.Namespace $name }}
{{- else }}
{{- $name }}
{{- end }}
{{- end }}

{{/* Milliseconds of a duration such as 1m30s, to compare two. */}}
{{- define "cec-exporter.milliseconds" -}}
{{- $total := 0 }}
{{- range regexFindAll "[0-9]+(ms|s|m|h)" . -1 }}
{{- $number := regexFind "[0-9]+" . | int }}
{{- $unit := regexFind "[a-z]+" . }}
{{- $total = add $total (mul $number (get (dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000) $unit)) }}
{{- end }}
{{- $total }}
{{- end }}
