{{/* Names and labels. A context is (dict "root" $ "name" NAME "service" ENTRY) unless said. */}}
{{- define "esteira.name" -}}
{{ printf "%s-%s" .root.Release.Name .name }}
{{- end }}

{{- define "esteira.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{- define "esteira.labels" -}}
{{ include "esteira.selector" . }}
app.kubernetes.io/component: {{ .component | default "service" }}
app.kubernetes.io/part-of: esteira
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "esteira.namespace" -}}
{{ .service.namespace | default .root.Release.Namespace }}
{{- end }}

{{/* (dict "root" $ "image" {repository, tag, digest}) -> what a container runs */}}
{{- define "esteira.image" -}}
{{- if .image.digest -}}
{{ printf "%s@%s" .image.repository .image.digest }}
{{- else -}}
{{ printf "%s:%s" .image.repository (.image.tag | default .root.Chart.AppVersion) }}
{{- end -}}
{{- end }}

{{/* The image of a service, as JSON: `image` where it has no entry of its own; a digest is of one repository and of no other. */}}
{{- define "esteira.imageOf" -}}
{{- $all := .root.Values.image -}}
{{- if .service.image -}}
{{- $all = omit $all "digest" -}}
{{- end -}}
{{ toJson (merge (deepCopy (.service.image | default dict)) $all) }}
{{- end }}

{{/* A pattern with {service} in it, for this service: (dict "pattern" P "name" NAME) */}}
{{- define "esteira.of" -}}
{{ .pattern | replace "{service}" .name }}
{{- end }}

{{- define "esteira.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .Values.runAs.user }}
runAsGroup: {{ .Values.runAs.group }}
fsGroup: {{ .Values.runAs.group }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "esteira.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* How many partitions the topic has: (dict "root" $ "topic" NAME) */}}
{{- define "esteira.partitions" -}}
{{- if eq .topic "ocr.jobs" }}{{ int .root.Values.kafka.ocrPartitions }}{{ else }}{{ int .root.Values.kafka.partitions }}{{ end -}}
{{- end }}

{{/* The most processes that can share a service's topics. */}}
{{- define "esteira.share" -}}
{{- $most := 0 -}}
{{- range .service.topics -}}
{{- $most = max $most (int (include "esteira.partitions" (dict "root" $.root "topic" .))) -}}
{{- end -}}
{{ $most }}
{{- end }}

{{- define "esteira.monitors" -}}
{{- $wish := toString .Values.monitoring.monitors -}}
{{- if or (eq $wish "true") (and (eq $wish "auto") (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1")) -}}yes{{- end -}}
{{- end }}
