{{/*
What can never work ends the rendering with a reason. Each refusal has a test in tests/deploy/test_helm.py.
*/}}
{{- define "esteira.replicasMost" -}}
{{- if eq .scaling.by "none" }}{{ int .scaling.replicas }}{{ else }}{{ int .scaling.max }}{{ end -}}
{{- end }}

{{/* Bytes of a quantity in Mi or Gi. */}}
{{- define "esteira.bytes" -}}
{{- if hasSuffix "Gi" . }}{{ mul (trimSuffix "Gi" . | int64) 1073741824 }}
{{- else if hasSuffix "Mi" . }}{{ mul (trimSuffix "Mi" . | int64) 1048576 }}
{{- else }}{{ fail (printf "%s: memory limits are in Mi or Gi" .) }}{{ end -}}
{{- end }}

{{- define "esteira.checkScaling" -}}
{{- $scaling := .service.scaling -}}
{{- if ne $scaling.by "none" -}}
{{- if gt (int $scaling.min) (int $scaling.max) -}}
{{- fail (printf "services.%s: scaling.min %d is more than scaling.max %d" .name (int $scaling.min) (int $scaling.max)) -}}
{{- end -}}
{{- end -}}
{{- $share := int (include "esteira.share" .) -}}
{{- if and (eq $scaling.by "lag") (eq $share 0) -}}
{{- fail (printf "services.%s: scaling by lag needs topics" .name) -}}
{{- end -}}
{{- if and (eq $scaling.by "lag") (gt (int $scaling.max) $share) -}}
{{- fail (printf "services.%s: scaling.max %d is more than the %d partitions of its topics: Kafka gives a partition to one process" .name (int $scaling.max) $share) -}}
{{- end -}}
{{- end }}

{{/* esteira-ocr does not start when its children could make the kernel kill the container. */}}
{{- define "esteira.checkMemory" -}}
{{- $config := .service.config | default dict -}}
{{- if hasKey $config "ESTEIRA_OCR_CHILD_MEMORY_BYTES" -}}
{{- $count := int64 (get $config "ESTEIRA_OCR_RECOGNISERS" | default "0") -}}
{{- if le $count 0 -}}
{{- fail (printf "services.%s: ESTEIRA_OCR_RECOGNISERS must be set: one for each core of the node is not one for each core of the container" .name) -}}
{{- end -}}
{{- $need := add (mul 4 $count (int64 (get $config "ESTEIRA_OCR_CHILD_MEMORY_BYTES"))) 268435456 -}}
{{- if gt $need (int64 (include "esteira.bytes" .service.resources.limits.memory)) -}}
{{- fail (printf "services.%s: 4 x ESTEIRA_OCR_RECOGNISERS x ESTEIRA_OCR_CHILD_MEMORY_BYTES + 256 MiB are %d bytes, more than limits.memory %s" .name $need .service.resources.limits.memory) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Sessions at the worst moment: every service at its most, and one process more while a new version rolls out. */}}
{{- define "esteira.sessions" -}}
{{- $values := .Values -}}
{{- $sum := 0 -}}
{{- range $name, $service := $values.services -}}
{{- $each := int $service.connections -}}
{{- if not $values.postgres.pooler.host }}{{ $each = add $each (int ($service.requestConnections | default 0)) }}{{ end -}}
{{- $sum = add $sum (mul (add1 (int (include "esteira.replicasMost" $service))) $each) -}}
{{- end -}}
{{- if $values.postgres.pooler.host }}{{ $sum = add $sum (int $values.postgres.pooler.connections) }}{{ end -}}
{{ $sum }}
{{- end }}

{{- define "esteira.check" -}}
{{- $lag := .Values.ladder.lag -}}
{{- if not (and (lt (int $lag.low) (int $lag.middle)) (lt (int $lag.middle) (int $lag.high))) -}}
{{- fail "ladder.lag: low, middle and high must rise" -}}
{{- end -}}
{{- range $name, $service := .Values.services -}}
{{- $context := dict "root" $ "name" $name "service" $service -}}
{{- include "esteira.checkScaling" $context -}}
{{- include "esteira.checkMemory" $context -}}
{{- end -}}
{{- if and (eq .Values.seal.mode "transit") (not .Values.seal.transit.url) -}}
{{- fail "seal.transit.url: must be set where seal.mode is transit" -}}
{{- end -}}
{{- if and (ne .Values.kafka.security "plaintext") (not .Values.kafka.ca.existingSecret) -}}
{{- fail "kafka.ca.existingSecret: must be set: brokers are always verified" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.http.proxies) -}}
{{- fail "http.proxies: must be set where the ingress is enabled, or the audit's every client has the address of the ingress" -}}
{{- end -}}
{{- $sessions := int (include "esteira.sessions" .) -}}
{{- $most := div (mul 8 (int .Values.postgres.maxConnections)) 10 -}}
{{- if gt $sessions $most -}}
{{- fail (printf "postgres.maxConnections %d: the services at their most replicas hold %d sessions, more than 0.8 of it (%d)" (int .Values.postgres.maxConnections) $sessions $most) -}}
{{- end -}}
{{- end }}
