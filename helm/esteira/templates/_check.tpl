{{/*
What can never work ends the rendering with a reason. Each refusal has a test in tests/deploy/test_refused.py.
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
{{- range .service.topics }}{{ include "esteira.checkTopic" (dict "root" $.root "name" $.name "topic" .) }}{{ end -}}
{{- if and (eq $scaling.by "lag") (eq $share 0) -}}
{{- fail (printf "services.%s: scaling by lag needs topics" .name) -}}
{{- end -}}
{{- $most := int (include "esteira.replicasMost" .service) -}}
{{- $shared := or (eq $scaling.by "lag") (and .service.topics (not (has "http" .service.wires))) -}}
{{- if and $shared (gt $most $share) -}}
{{- fail (printf "services.%s: scaling.%s %d is more than the %d partitions of its topics: Kafka gives a partition to one process" .name (ternary "replicas" "max" (eq $scaling.by "none")) $most $share) -}}
{{- end -}}
{{- if eq $scaling.by "lag" -}}
{{- $steps := .root.Values.ladder.replicas -}}
{{- $middle := divf (mul (min $share (int $steps.highTo)) (int $steps.middleFrom)) (int $steps.highTo) -}}
{{- if and (gt (int $steps.base) (int $scaling.min)) (gt (float64 $steps.base) $middle) -}}
{{- fail (printf "services.%s: ladder.replicas.base %d is more than its next step, which is %.1f with %d partitions" .name (int $steps.base) $middle $share) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Topics that there are (docs/topics.md); a service beyond the four may bring some that begin with its name. */}}
{{- define "esteira.checkTopic" -}}
{{- $known := list "ocr.jobs" "ocr.events" "audit.trail" "intake.events" "outreach.commands" "outreach.events" -}}
{{- $owner := splitList "." .topic | first -}}
{{- $new := and (hasKey .root.Values.services $owner) (not (has $owner (list "intake" "ocr" "outreach" "audit"))) -}}
{{- if not (or (has .topic $known) $new) -}}
{{- fail (printf "services.%s: there is no topic %s" .name .topic) -}}
{{- end -}}
{{- end }}

{{/* What is told by `config`, the service's own over everybody's, as JSON. */}}
{{- define "esteira.config" -}}
{{ toJson (mergeOverwrite (deepCopy .root.Values.config) (deepCopy (.service.config | default dict))) }}
{{- end }}

{{/* esteira-ocr does not start when its children could make the kernel kill the container. */}}
{{- define "esteira.checkMemory" -}}
{{- $config := include "esteira.config" . | fromJson -}}
{{- if or (has "ocr.jobs" .service.topics) (hasKey $config "ESTEIRA_OCR_CHILD_MEMORY_BYTES") -}}
{{- $each := int64 (get $config "ESTEIRA_OCR_CHILD_MEMORY_BYTES" | default "1073741824") -}}
{{- $count := int64 (get $config "ESTEIRA_OCR_RECOGNISERS" | default "0") -}}
{{- if le $count 0 -}}
{{- fail (printf "services.%s: ESTEIRA_OCR_RECOGNISERS must be set: one for each core of the node is not one for each core of the container" .name) -}}
{{- end -}}
{{- $need := add (mul 4 $count $each) 268435456 -}}
{{- if gt $need (int64 (include "esteira.bytes" .service.resources.limits.memory)) -}}
{{- fail (printf "services.%s: 4 x ESTEIRA_OCR_RECOGNISERS x ESTEIRA_OCR_CHILD_MEMORY_BYTES (%d) + 256 MiB are %d bytes, more than limits.memory %s" .name $each $need .service.resources.limits.memory) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Sessions at the worst moment: every service at its most, and one process more while a new version rolls out. */}}
{{- define "esteira.sessions" -}}
{{- $values := .Values -}}
{{- $sum := 0 -}}
{{- range $name, $service := $values.services -}}
{{- $each := int $service.connections -}}
{{- if not $values.postgres.pooler.host -}}
{{- $config := include "esteira.config" (dict "root" $ "service" $service) | fromJson -}}
{{- $threads := ternary (int (get $config "ESTEIRA_HTTP_THREADS" | default "8")) 0 (has "http" $service.wires) -}}
{{- $each = add $each (max $threads (int ($service.requestConnections | default 0))) -}}
{{- end -}}
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
{{- $steps := .Values.ladder.replicas -}}
{{- if not (and (le (int $steps.base) (int $steps.middleFrom)) (lt (int $steps.middleFrom) (int $steps.middleTo))
      (le (int $steps.middleTo) (int $steps.highFrom)) (lt (int $steps.highFrom) (int $steps.highTo))) -}}
{{- fail "ladder.replicas: base, middleFrom, middleTo, highFrom and highTo must rise" -}}
{{- end -}}
{{- $public := list -}}
{{- range $name, $service := .Values.services -}}
{{- if has "http" $service.wires }}{{ $public = append $public $name }}{{ end -}}
{{- end -}}
{{- if gt (len $public) 1 -}}
{{- fail (printf "services: %s have wire http: there is one public port, one certificate and one host name" (join " and " $public)) -}}
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
{{- if and (hasPrefix "verify-" .Values.postgres.sslmode) (not .Values.postgres.ca.existingSecret) -}}
{{- fail (printf "postgres.ca.existingSecret: must be set where postgres.sslmode is %s: there is nothing else to verify by" .Values.postgres.sslmode) -}}
{{- end -}}
{{- if and .Values.http.clientCaSecret (not .Values.http.tlsSecret) -}}
{{- fail "http.tlsSecret: must be set where http.clientCaSecret is: without TLS nobody shows a certificate" -}}
{{- end -}}
{{- if regexMatch "/v1/traces/*$" .Values.traces.endpoint -}}
{{- fail "traces.endpoint: without /v1/traces, which the services add" -}}
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
